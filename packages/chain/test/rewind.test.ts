import assert from 'node:assert/strict'
import { after, before, type TestContext, test } from 'node:test'
import { memoTokenAbi } from '@memo/contracts'
import { type AbiEvent, decodeEventLog } from 'viem'
import {
  type Addresses,
  ATTOMEMO_PER_MEMO,
  createCachedChain,
  createChainClient,
  devnetParams,
  ensurePledge,
  getMemoBalance,
  getPledge,
  ReceiptTimeout,
  RpcBehind,
  registerProvider,
  runDeploy,
  transferMemo,
  type WatchedLog,
  watchEvents,
} from '../src/index.ts'
import { type Anvil, describeWithAnvil, startAnvil } from './support/anvil.ts'
import { clientOf, connectTo, deployer, pollingIntervalMs, testAccount } from './support/network.ts'

const transfers = memoTokenAbi.filter((item) => item.type === 'event' && item.name === 'Transfer') as AbiEvent[]
const to = testAccount(1).address

/** Our own chain never goes back; others do, and forget what was in the blocks that they drop. */
describeWithAnvil('on a chain that rewinds', () => {
  let anvil: Anvil
  let addresses: Addresses
  let fresh: unknown

  before(async () => {
    anvil = await startAnvil({ rich: [deployer.address] })
    ;({ addresses } = await runDeploy(clientOf(anvil, deployer), { params: devnetParams }))
    fresh = await anvil.snapshot()
  })
  after(async () => await anvil?.close())

  /** Each test begins where the network was just deployed. */
  const begin = async (context: TestContext) => {
    context.after(async () => {
      await anvil.rewind(fresh)
      fresh = await anvil.snapshot()
    })
    return { addresses, to }
  }
  const balance = async () => await getMemoBalance(clientOf(anvil), { addresses, address: to })
  const noncesUsed = async () => await clientOf(anvil).rpc.getTransactionCount({ address: deployer.address })
  const watch = (confirmations = 0, signal?: AbortSignal) =>
    watchEvents(clientOf(anvil), {
      address: addresses.memoToken,
      events: transfers,
      fromBlock: 0n,
      confirmations,
      signal,
    })

  test('logs are taken back, newest first, and what comes instead is given', async (context) => {
    const target = await begin(context)
    const send = async (amountAtto: bigint) => await transferMemo(clientOf(anvil, deployer), { ...target, amountAtto })
    const events = watch()
    assert.deepEqual(await take(events, 1), [devnetParams.supplyAtto])
    const place = await anvil.snapshot()
    for (const amount of [1n, 2n]) {
      await send(amount)
      assert.deepEqual(await take(events, 1), [amount])
    }
    await anvil.reorganize(1)
    assert.deepEqual(await take(events, 1), [-2n])
    await send(3n)
    assert.deepEqual(await take(events, 1), [3n])
    await anvil.rewind(place)
    assert.deepEqual(await take(events, 2), [-3n, -1n])
    await send(4n)
    assert.deepEqual(await take(events, 1), [4n])
    await events.return()
  })

  test('a log that is dropped under its confirmations was never given', async (context) => {
    const target = await begin(context)
    const send = async (amountAtto: bigint) => await transferMemo(clientOf(anvil, deployer), { ...target, amountAtto })
    const events = watch(2)
    await anvil.mine(2)
    assert.deepEqual(await take(events, 1), [devnetParams.supplyAtto])
    await send(5n)
    await anvil.mine(1)
    await anvil.reorganize(2)
    await send(6n)
    await anvil.mine(2)
    assert.deepEqual(await take(events, 1), [6n])
    await events.return()
  })

  test('a chain that goes back while its logs are read is read again, as far as it then goes', async (context) => {
    const target = await begin(context)
    const send = async (amountAtto: bigint) => await transferMemo(clientOf(anvil, deployer), { ...target, amountAtto })
    let place: unknown
    const moving = {
      request: async (call: { method: string; params?: unknown }) => {
        if (call.method === 'eth_getLogs' && place !== undefined) {
          await anvil.rewind(place)
          place = undefined
        }
        return await anvil.request(call)
      },
    }
    const options = { address: addresses.memoToken, events: transfers, fromBlock: 0n }
    const events = watchEvents(clientOf(moving), options)
    assert.deepEqual(await take(events, 1), [devnetParams.supplyAtto])
    const before = await anvil.snapshot()
    await send(1n)
    place = before
    const next = take(events, 1)
    while (place !== undefined) await new Promise((resolve) => setTimeout(resolve, 1))
    await send(2n)
    assert.deepEqual(await next, [2n])
    await events.return()
  })

  test('whatever is dropped and sent, what was given adds up to what the chain has', async (context) => {
    const target = await begin(context)
    const stop = new AbortController()
    const given: bigint[] = []
    const reading = collect(watch(0, stop.signal), given)
    const held = async () => {
      const logs = await clientOf(anvil).rpc.getLogs({
        address: addresses.memoToken,
        events: transfers,
        fromBlock: 0n,
        toBlock: 'latest',
      })
      return logs.map(amountOf)
    }
    // Of the steps each pair occurs: sends after rewinds, rewinds after rewinds, over some and over all that was sent.
    for (const [step, depth] of [0, 0, 1, 0, 0, 0, 2, 1, 0, 3, 0, 0, 5, 4, 0, 0, 1, 0].entries()) {
      if (depth > 0) await anvil.reorganize(depth)
      else await transferMemo(clientOf(anvil, deployer), { ...target, amountAtto: BigInt(step) + 1n })
      if (step % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 4 * pollingIntervalMs))
    }
    const wanted = await held()
    for (let rounds = 0; given.join() !== wanted.join(); rounds += 1) {
      assert.ok(rounds < 400, `given ${given}, on the chain ${wanted}`)
      await new Promise((resolve) => setTimeout(resolve, pollingIntervalMs))
    }
    stop.abort()
    await reading
  })

  test('a write that is dropped before it is confirmed is sent again, and happens once', async (context) => {
    const target = await begin(context)
    const options = { rpcUrl: 'in-process', provider: anvil, account: deployer, pollingIntervalMs, confirmations: 2 }
    const before = await noncesUsed()
    const write = transferMemo(createChainClient(options), { ...target, amountAtto: 7n })
    const arrives = async () => {
      for (let rounds = 0; (await balance()) !== 7n; rounds += 1) {
        assert.ok(rounds < 400, 'it comes into a block')
        await new Promise((resolve) => setTimeout(resolve, pollingIntervalMs))
      }
    }
    await arrives()
    await anvil.reorganize(1)
    assert.equal(await balance(), 0n)
    await arrives()
    await anvil.mine(2)
    await write
    assert.deepEqual([await balance(), await noncesUsed()], [7n, before + 1])
  })

  test('the next write takes the place of one that was dropped, with what still waits before it', async (context) => {
    const target = await begin(context)
    const client = clientOf(anvil, deployer)
    const place = await anvil.snapshot()
    const before = await noncesUsed()
    for (const amountAtto of [1n, 2n]) await transferMemo(client, { ...target, amountAtto })
    await anvil.rewind(place)
    await transferMemo(client, { ...target, amountAtto: 4n })
    assert.deepEqual([await balance(), await noncesUsed()], [4n, before + 1], 'what had succeeded is not made up for')

    const careful = createChainClient({
      rpcUrl: 'in-process',
      provider: anvil,
      account: deployer,
      pollingIntervalMs,
      confirmations: 2,
    })
    const later = await anvil.snapshot()
    const waiting = transferMemo(careful, { ...target, amountAtto: 8n })
    while ((await balance()) !== 12n) await new Promise((resolve) => setTimeout(resolve, 1))
    await anvil.rewind(later)
    const next = transferMemo(careful, { ...target, amountAtto: 16n })
    while ((await balance()) !== 28n) await new Promise((resolve) => setTimeout(resolve, 1))
    await anvil.mine(2)
    const blocks = (await Promise.all([waiting, next])).map(({ blockNumber }) => blockNumber)
    assert.ok((blocks[0] ?? 0) < (blocks[1] ?? 0), 'in the order in which they were asked for')
    assert.equal(await noncesUsed(), before + 3)
  })

  test('an action that was dropped is done again by the same call, and once only', async (context) => {
    await begin(context)
    const chain = await connectTo(anvil, addresses.registry, deployer)
    const contact = { endpoint: 'http://127.0.0.1:1234/', operator: 'acme', region: 'eu' }
    const offer = { capacityBytes: 2 ** 30, storagePriceAttoPerGiBSecond: 7n, retrievalPriceAttoPerByte: 3n }
    const place = await anvil.snapshot()
    const join = async () => {
      await registerProvider(chain.client, { addresses, contact, offer })
      await ensurePledge(chain.client, { addresses })
      return await getPledge(chain.client, { addresses, address: deployer.address })
    }
    const first = await join()
    await anvil.rewind(place)
    const own = deployer.address.toLowerCase() as `0x${string}`
    await assert.rejects(chain.findAccount(own), RpcBehind, 'once it is told that the chain went back')
    assert.equal(await chain.findAccount(own), undefined)
    assert.deepEqual(await join(), first)
    await anvil.reorganize(1)
    assert.deepEqual(await join(), first, 'also where only the last step was dropped')
  })

  test('a cached answer of a block that was dropped is gone when its time is over', async (context) => {
    await begin(context)
    const chain = await connectTo(anvil, addresses.registry, deployer)
    const address = deployer.address.toLowerCase() as `0x${string}`
    let nowMs = 0
    const cached = createCachedChain(chain, { nowMs: () => nowMs }, 1_000)
    const place = await anvil.snapshot()
    const contact = { endpoint: 'http://127.0.0.1:1234/', operator: '', region: '' }
    const offer = { capacityBytes: 2 ** 30, storagePriceAttoPerGiBSecond: 7n, retrievalPriceAttoPerByte: 3n }
    await registerProvider(chain.client, { addresses, contact, offer })
    assert.equal((await cached.findAccount(address))?.endpoint, 'http://127.0.0.1:1234')
    assert.equal((await cached.listProviders()).length, 1)
    await anvil.rewind(place)
    nowMs = 1_000
    await assert.rejects(cached.findAccount(address), RpcBehind)
    assert.equal(await cached.findAccount(address), undefined)
    assert.deepEqual(await cached.listProviders(), [])
    await registerProvider(chain.client, { addresses, contact: { ...contact, region: 'as' }, offer })
    assert.equal((await cached.findAccount(address))?.region, 'as', 'what was not there is asked for each time')
  })

  test('a write that the chain cannot keep is reported, and the one after it succeeds', async (context) => {
    const target = await begin(context)
    const still = {
      request: ({ method, params }: { method: string; params?: unknown }) => anvil.ask(method, params),
    }
    const client = clientOf(still, deployer)
    const write = client.sender!.send({ to, data: '0x', value: 1n, timeoutMs: 100 })
    await assert.rejects(write, ReceiptTimeout)
    await anvil.request({ method: 'anvil_dropAllTransactions', params: [] })
    const next = transferMemo(client, { ...target, amountAtto: 3n })
    while (
      (await clientOf(anvil).rpc.getTransactionCount({ address: deployer.address, blockTag: 'pending' })) ===
      (await noncesUsed())
    ) {
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await anvil.mine()
    await next
    assert.equal(await balance(), 3n)
  })
})

describeWithAnvil('a deployment on a chain that rewinds', () => {
  test('is completed at the same addresses, wherever it was cut off', async (context) => {
    const anvil = await startAnvil({ rich: [deployer.address] })
    context.after(() => anvil.close())
    const steps: unknown[] = [await anvil.snapshot()]
    const client = clientOf(anvil, deployer)
    const wanted = await runDeploy(client, { params: devnetParams })
    await anvil.rewind(steps[0])
    for (const depth of [1, 3, 6, 2]) {
      const result = await runDeploy(client, { params: devnetParams })
      assert.deepEqual(result.addresses, wanted.addresses)
      await anvil.reorganize(depth)
    }
    const found: string[] = []
    const onStep = (_: unknown, outcome: string) => found.push(outcome)
    await runDeploy(client, { params: devnetParams, onStep })
    assert.deepEqual(found.slice(-3), ['found', 'created', 'created'], 'what still stands is kept')
    const { client: reader } = await connectTo(anvil, wanted.registry, deployer)
    const balance = await getMemoBalance(reader, { addresses: wanted.addresses, address: deployer.address })
    assert.ok(balance > ATTOMEMO_PER_MEMO, 'and the network is whole')
  })
})

/** Reads `count` events as amounts; what is taken back is negative. */
async function take(events: AsyncGenerator<WatchedLog>, count: number): Promise<bigint[]> {
  const amounts: bigint[] = []
  while (amounts.length < count) {
    const { value, done } = await events.next()
    if (done === true) break
    amounts.push(value.removed ? -amountOf(value.log) : amountOf(value.log))
  }
  return amounts
}

/** Keeps `held` as what was given and not taken back; what is taken back must be the newest. */
async function collect(events: AsyncGenerator<WatchedLog>, held: bigint[]): Promise<void> {
  for await (const { log, removed } of events) {
    if (removed) assert.equal(held.pop(), amountOf(log))
    else held.push(amountOf(log))
  }
}

function amountOf(log: Pick<WatchedLog['log'], 'data' | 'topics'>): bigint {
  const { args } = decodeEventLog({ abi: transfers, data: log.data, topics: log.topics })
  return (args as unknown as { value: bigint }).value
}
