import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { MemoError } from '@memo/core'
import { createMemoryIndexStore } from '@memo/core/testing'
import {
  type ChainClient,
  type ChainClientOptions,
  ContractRefused,
  connectNetwork,
  createChainClient,
  createGasWatch,
  depositEscrow,
  devnetParams,
  GasTooExpensive,
  getEscrow,
  getMemoBalance,
  NonceTaken,
  ReceiptTimeout,
  RpcBehind,
  RpcUnreachable,
  runDeploy,
  transferGas,
  transferMemo,
  WrongChainId,
  withdrawEscrow,
  withOnce,
} from '../src/index.ts'
import { type Bend, type HostileRpc, type RpcCall, startHostileRpc } from './support/hostile-rpc.ts'
import {
  clientOf,
  deployer,
  lagPatienceMs,
  pollingIntervalMs,
  startChain,
  type TestChain,
  testAccount,
} from './support/network.ts'

const to = testAccount(1).address
const SEND = 'eth_sendRawTransaction'
const FIND = 'eth_getTransactionByHash'

async function begin(context: TestContext, options: Partial<ChainClientOptions> & { readonly isStill?: boolean } = {}) {
  const { isStill = false, ...rest } = options
  const devnet = await startChain({ isStill })
  context.after(() => devnet.close())
  const rpc = await startHostileRpc(context, devnet)
  const client = createChainClient({
    rpcUrl: rpc.rpcUrl,
    account: deployer,
    pollingIntervalMs,
    lagPatienceMs,
    ...rest,
  })
  const truth = clientOf(devnet)
  return {
    devnet,
    rpc,
    client,
    received: () => truth.rpc.getBalance({ address: to }),
    noncesUsed: () => truth.rpc.getTransactionCount({ address: deployer.address }),
  }
}

/** Bends the first calls of a method, one after the other. */
function bendFirst(rpc: HostileRpc, method: string, bends: readonly Bend[]): void {
  const left = [...bends]
  rpc.bend((call) => (call.method === method ? (left.shift() ?? 'pass') : 'pass'))
}

/** Numbers below `limit`, the same for the same seed. */
function draws(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}

/** Asks again until it is done; only errors that say what they are may come on the way. */
async function insist<Value>(work: () => Promise<Value>): Promise<Value> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work()
    } catch (error) {
      assert.ok(error instanceof MemoError, String(error))
      assert.ok(tries < 50, 'it comes to an end')
    }
  }
}

test('whatever an endpoint drops, swallows, limits and repeats, each payment is made once', async (context) => {
  const { rpc, client, received, noncesUsed } = await begin(context)
  const worst: readonly Bend[] = [
    'drop',
    'swallow',
    'limit',
    'repeat',
    { error: { code: -32_603, message: 'internal' } },
  ]
  let paid = 0n
  let count = 0
  for (let seed = 1; seed <= 8; seed += 1) {
    const draw = draws(seed)
    rpc.bend(() => (draw(3) === 0 ? (worst[draw(worst.length)] as Bend) : 'pass'))
    for (const amountWei of [1n, 2n, 4n]) {
      await insist(() => client.sender!.send({ to, data: '0x', value: BigInt(seed) * 8n + amountWei, timeoutMs: 300 }))
      paid += BigInt(seed) * 8n + amountWei
      count += 1
      rpc.bend(() => (draw(3) === 0 ? (worst[draw(worst.length)] as Bend) : 'pass'))
    }
    assert.deepEqual([await received(), await noncesUsed()], [paid, count], `seed ${seed}`)
  }
})

test('what arrived and was denied is waited for, under no other nonce', async (context) => {
  const { rpc, client, received, noncesUsed } = await begin(context)
  let sent = 0
  let denied = 0
  rpc.bend(({ method }) => {
    if (method === SEND) return sent++ === 0 ? 'swallow' : 'pass'
    if (method === FIND && denied++ < 10) return { result: null }
    if (method === 'eth_getTransactionReceipt' && denied < 4) return { result: null }
    return 'pass'
  })
  await transferGas(client, { to, amountWei: 5n })
  assert.deepEqual([await received(), await noncesUsed()], [5n, 1])
  assert.equal(new Set(rawsIn(rpc)).size, 1, 'the same bytes each time')
})

test('an endpoint that falls silent has refused nothing: it is asked again, and what it took is paid once', async (context) => {
  const { rpc, client, received, noncesUsed } = await begin(context, { timeoutMs: 400 })
  bendFirst(rpc, 'eth_estimateGas', ['hush'])
  await transferGas(client, { to, amountWei: 3n })
  bendFirst(rpc, SEND, ['hush'])
  await transferGas(client, { to, amountWei: 4n })
  assert.deepEqual([await received(), await noncesUsed()], [7n, 2])
  assert.equal(new Set(rawsIn(rpc)).size, 2, 'no other bytes for the same payment')
  rpc.bend(() => 'hush')
  const mute = createChainClient({ rpcUrl: rpc.rpcUrl, account: deployer, pollingIntervalMs, timeoutMs: 20 })
  await assert.rejects(transferGas(mute, { to, amountWei: 5n }), RpcUnreachable)
})

test('a payment that timed out and is asked for again is not a second one', async (context) => {
  const { rpc, client, received, noncesUsed, devnet } = await begin(context, { isStill: true })
  const pay = () => client.sender!.send({ to, data: '0x', value: 7n, timeoutMs: 40 })
  await assert.rejects(pay(), ReceiptTimeout)
  await assert.rejects(pay(), ReceiptTimeout)
  await devnet.mine(1)
  await pay()
  assert.deepEqual([await received(), await noncesUsed()], [7n, 1])
  assert.equal(new Set(rawsIn(rpc)).size, 1)
})

test('an endpoint that lags behind what was written is waited for, or named', async (context) => {
  const { rpc, client, devnet } = await begin(context, { lagPatienceMs: 2_000 })
  const { addresses } = await runDeploy(clientOf(devnet, deployer), { params: devnetParams })
  const before = await getMemoBalance(client, { addresses, address: deployer.address })
  const { blockNumber } = await transferMemo(client, { addresses, to, amountAtto: 5n })
  const old = { result: `0x${(blockNumber - 1).toString(16)}` }
  bendFirst(rpc, 'eth_blockNumber', [old, old, old])
  assert.equal(await getMemoBalance(client, { addresses, address: deployer.address }), before - 5n)
  const unknown = { error: { code: -32_000, message: 'header not found' } }
  bendFirst(rpc, 'eth_call', [unknown, unknown])
  assert.equal(await getMemoBalance(client, { addresses, address: to }), 5n, 'another machine behind the same address')
  rpc.bend(({ method }) => (method === 'eth_blockNumber' ? old : 'pass'))
  await assert.rejects(getMemoBalance(client, { addresses, address: to }), (error) => {
    assert.ok(error instanceof RpcBehind)
    assert.deepEqual(error.details, { height: blockNumber - 1, seen: blockNumber })
    return true
  })
})

test('an endpoint that has forgotten the last transaction gives its nonce to no other', async (context) => {
  const { rpc, client, received, noncesUsed } = await begin(context, { lagPatienceMs: 2_000 })
  const { blockNumber } = await transferGas(client, { to, amountWei: 1n })
  let asked = 0
  rpc.bend(({ method }) => {
    if (method === 'eth_blockNumber') asked += 1
    if (asked > 5) return 'pass'
    if (method === 'eth_blockNumber') return { result: `0x${(blockNumber - 1).toString(16)}` }
    if (method === FIND) return { result: null }
    return method === 'eth_getTransactionCount' ? { result: '0x0' } : 'pass'
  })
  await transferGas(client, { to, amountWei: 2n })
  assert.deepEqual([await received(), await noncesUsed()], [3n, 2])
})

test('an endpoint of another chain is refused', async (context) => {
  const { rpc } = await begin(context)
  rpc.bend(({ method }) => (method === 'eth_chainId' ? { result: '0x1' } : 'pass'))
  await assert.rejects(connectNetwork({ rpcUrl: rpc.rpcUrl, registry: to, chainId: 985 }), WrongChainId)
})

test('a transaction that lies in the pool is replaced by the same call for more, and paid once', async (context) => {
  const { rpc, client, devnet, received, noncesUsed } = await begin(context, {
    isStill: true,
    gas: { replaceAfterMs: 20 },
  })
  const lying = new Map<string, RpcCall>()
  rpc.bend((call) => {
    if (call.method === SEND && lying.size === 0) {
      lying.set('first', call)
      return { result: `0x${'11'.repeat(32)}` }
    }
    const isFirst = call.method === FIND && rawsIn(rpc).length === 1
    return isFirst ? { result: { hash: call.params[0], blockHash: null } } : 'pass'
  })
  const paying = transferGas(client, { to, amountWei: 9n })
  await mineUntil(devnet, paying)
  const raws = new Set(rawsIn(rpc))
  assert.equal(raws.size, 2, 'another version')
  // The first one, come to light after all.
  await assert.rejects(devnet.request({ method: SEND, params: [...(lying.get('first')?.params ?? [])] }))
  await devnet.mine(1)
  assert.deepEqual([await received(), await noncesUsed()], [9n, 1])
})

test('what offers too little is offered again for more, under the same nonce, and no more often than needed', async (context) => {
  const { rpc, client, received, noncesUsed } = await begin(context)
  const cheap = { error: { code: -32_000, message: 'transaction underpriced' } }
  bendFirst(rpc, SEND, [cheap, cheap, 'drop', 'drop', 'drop', 'drop'])
  await transferGas(client, { to, amountWei: 6n })
  assert.deepEqual([await received(), await noncesUsed()], [6n, 1])
  assert.equal(new Set(rawsIn(rpc)).size, 2, 'a broken connection is no reason to pay more')
})

test('gas above the limit is refused with what it would cost, or waited out', async (context) => {
  const limitWei = 50n * 10n ** 9n
  const seen: string[] = []
  const watch = createGasWatch(({ type }) => seen.push(type))
  const { rpc, client, received } = await begin(context, { gas: { maxFeePerGasWei: limitWei, watch } })
  let spikes = Number.POSITIVE_INFINITY
  const spike = (result: unknown) => ({ ...(result as object), baseFeePerGas: `0x${(10n ** 12n).toString(16)}` })
  rpc.bend(({ method }) => (method === 'eth_getBlockByNumber' && spikes-- > 0 ? { rewrite: spike } : 'pass'))
  await assert.rejects(transferGas(client, { to, amountWei: 3n }), (error) => {
    assert.ok(error instanceof GasTooExpensive)
    const { gas, feeWei, costWei } = error.details as Record<string, string>
    assert.equal(BigInt(costWei ?? 0), BigInt(gas ?? 0) * BigInt(feeWei ?? 0))
    assert.ok(BigInt(feeWei ?? 0) >= 10n ** 12n)
    return true
  })
  assert.equal(rawsIn(rpc).length, 0, 'nothing was sent')
  await assert.rejects(transferGas(client, { to, amountWei: 3n }), { name: 'GasTooExpensive' })
  spikes = 0
  await transferGas(client, { to, amountWei: 1n })
  assert.deepEqual(seen, ['gas-too-expensive', 'gas-affordable'], 'each is said once')
  const patient = createChainClient({
    rpcUrl: rpc.rpcUrl,
    account: deployer,
    pollingIntervalMs,
    gas: { maxFeePerGasWei: limitWei, waitMs: 5_000 },
  })
  spikes = 3
  await transferGas(patient, { to, amountWei: 4n })
  assert.equal(await received(), 5n)
})

test('who has too little is told what is missing and which command mends it', async (context) => {
  const { client, devnet } = await begin(context)
  const { addresses } = await runDeploy(clientOf(devnet, deployer), { params: devnetParams })
  const poor = testAccount(2)
  await transferGas(client, { to: poor.address, amountWei: 10n ** 18n })
  const poorClient = clientOf(devnet, poor)
  const tellsOf = (reason: string, command: RegExp) => (error: unknown) =>
    error instanceof ContractRefused && error.reason === reason && command.test(error.fix ?? '')
  await assert.rejects(
    withdrawEscrow(poorClient, { addresses, amountAtto: 5n }),
    tellsOf('EscrowTooSmall', /memo escrow/),
  )
  await assert.rejects(
    transferMemo(poorClient, { addresses, to, amountAtto: 1n }),
    tellsOf('ERC20InsufficientBalance', /memo wallet/),
  )
  const bare = clientOf(devnet, testAccount(3))
  await assert.rejects(transferGas(bare, { to, amountWei: 1n }), {
    name: 'GasMoneyMissing',
    message: / has 0 of the chain's own coin, and the transaction may take 0\.0+\d+$/,
    fix: /memo wallet/,
  })
})

test('killed at any request, a payment under a key is made once by who comes after', async (context) => {
  const devnet = await startChain()
  context.after(() => devnet.close())
  const owner = clientOf(devnet, deployer)
  const { addresses } = await runDeploy(owner, { params: devnetParams })
  const journal = createMemoryIndexStore()
  const account = testAccount(4)
  await transferGas(owner, { to: account.address, amountWei: 10n ** 19n })
  await transferMemo(owner, { addresses, to: account.address, amountAtto: 1_000n })
  /** A process that makes so many requests and dies: in the last one the chain hears it, or does not. */
  const live = async (key: string, requests: number, isHeard: boolean): Promise<'died' | 'done'> => {
    const death = new AbortController()
    let left = requests
    const provider = {
      request: async (call: { method: string; params?: unknown }) => {
        left -= 1
        if (left < 0) throw new TypeError('dead')
        if (left > 0) return await devnet.request(call)
        if (isHeard) await devnet.request(call)
        death.abort(new DOMException('killed', 'AbortError'))
        throw new TypeError('killed')
      },
    }
    const client = createChainClient({ rpcUrl: 'in-process', provider, account, pollingIntervalMs, journal })
    const work = depositEscrow(withOnce(client, key), { addresses, amountAtto: 1n, signal: death.signal })
    return await work.then(
      () => 'done',
      () => 'died',
    )
  }
  let deposited = 0n
  for (let requests = 1; requests <= 12; requests += 1) {
    for (const isHeard of [false, true]) {
      const key = `deposit-${requests}-${isHeard}`
      await live(key, requests, isHeard)
      assert.equal(await live(key, 1_000, false), 'done')
      if (isHeard) assert.equal(await live(key, 1_000, false), 'done', 'and again is the same')
      deposited += 1n
      const { freeAtto } = await getEscrow(owner, { addresses, account: account.address })
      assert.equal(freeAtto, deposited, `killed in request ${requests}, ${isHeard ? 'heard' : 'not heard'}`)
    }
  }
})

test('a key whose nonce another process took is signed anew, and one that failed may try again', async (context) => {
  const { rpc, client, devnet, received, noncesUsed } = await begin(context)
  const journal = createMemoryIndexStore()
  const options = { rpcUrl: rpc.rpcUrl, account: deployer, pollingIntervalMs, journal }
  rpc.bend(({ method }) => (method === SEND ? { error: { code: -32_603, message: 'internal' } } : 'pass'))
  const pay = (by: ChainClient) => transferGas(withOnce(by, 'rent'), { to, amountWei: 3n })
  await assert.rejects(pay(createChainClient(options)))
  rpc.bend(() => 'pass')
  await transferGas(client, { to, amountWei: 100n })
  const next = createChainClient(options)
  await Promise.all([pay(next), pay(next)])
  await pay(createChainClient(options))
  assert.deepEqual([await received(), await noncesUsed()], [103n, 2])
  await next.sender?.forget('rent')
  await pay(next)
  assert.equal(await received(), 106n, 'once more, as was asked')
  const { addresses } = await runDeploy(clientOf(devnet, testAccount(5)), { params: devnetParams }).catch(() => ({
    addresses: undefined,
  }))
  assert.equal(addresses, undefined, 'who has no coin deploys nothing')
})

test('without a key, whose nonce another process took is told so', async (context) => {
  const { rpc, client, devnet } = await begin(context, { isStill: true })
  rpc.bend(({ method }) => (method === SEND ? { result: `0x${'22'.repeat(32)}` } : 'pass'))
  const paying = transferGas(client, { to, amountWei: 1n })
  while (rawsIn(rpc).length === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  const other = transferGas(clientOf(devnet, deployer), { to, amountWei: 2n })
  await mineUntil(devnet, Promise.all([assert.rejects(paying, NonceTaken), other]))
})

/** Makes blocks until `work` has ended. */
async function mineUntil(devnet: TestChain, work: Promise<unknown>): Promise<void> {
  let isDone = false
  const ended = work.finally(() => {
    isDone = true
  })
  ended.catch(() => 'awaited below')
  while (!isDone) {
    await devnet.mine(1)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await ended
}

function rawsIn({ calls }: HostileRpc): unknown[] {
  return calls.filter(({ method }) => method === SEND).map(({ params }) => params[0])
}
