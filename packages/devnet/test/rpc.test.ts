import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type Address,
  BaseError,
  ContractFunctionRevertedError,
  decodeFunctionResult,
  encodeFunctionData,
  getContract,
  type Hex,
  keccak256,
  parseEventLogs,
} from 'viem'
import { counterAbi, counterCode } from './counter.ts'
import {
  ALLOC,
  alice,
  bob,
  type Clients,
  createClock,
  GENESIS_TIMESTAMP,
  send,
  signTransfer,
  startDevnet,
  WEI,
} from './helpers.ts'

async function deployCounter({ wallet, reader }: Clients): Promise<Address> {
  const hash = await wallet.deployContract({ abi: counterAbi, bytecode: counterCode })
  const receipt = await reader.waitForTransactionReceipt({ hash })
  assert.equal(receipt.status, 'success')
  assert.ok(receipt.contractAddress)
  return receipt.contractAddress
}

async function add(clients: Clients, address: Address, amount: bigint): Promise<bigint> {
  const hash = await clients.wallet.writeContract({ abi: counterAbi, address, functionName: 'add', args: [amount] })
  return (await clients.reader.waitForTransactionReceipt({ hash })).blockNumber
}

/** The JSON-RPC error that a call ends in. */
async function failure(call: Promise<unknown>): Promise<{ code: number; message: string; data?: Hex }> {
  return call.then(
    () => assert.fail('the call succeeded'),
    (error) => error,
  )
}

describe('a viem client', () => {
  test('reads the genesis balances and the chain id', async (t) => {
    const { reader } = await startDevnet(t)
    assert.equal(await reader.getChainId(), 985)
    for (const [address, balance] of Object.entries(ALLOC)) {
      assert.equal(await reader.getBalance({ address: address as Address }), balance)
    }
    assert.equal(await reader.getBlockNumber(), 0n)
    assert.equal((await reader.getBlock()).timestamp, BigInt(GENESIS_TIMESTAMP))
  })

  test('moves money, and the sums agree with the receipt', async (t) => {
    const { wallet, reader } = await startDevnet(t)
    const hash = await wallet.sendTransaction({ to: bob.address, value: 5n * WEI })
    const receipt = await reader.waitForTransactionReceipt({ hash })
    assert.equal(receipt.gasUsed, 21_000n)
    assert.equal(await reader.getBalance({ address: bob.address }), 105n * WEI)
    const paid = receipt.gasUsed * receipt.effectiveGasPrice
    assert.equal(await reader.getBalance({ address: alice.address }), 95n * WEI - paid)
    const tx = await reader.getTransaction({ hash })
    assert.equal(tx.from.toLowerCase(), alice.address.toLowerCase())
    assert.equal(tx.gasPrice, receipt.effectiveGasPrice)
    const block = await reader.getBlock({ includeTransactions: true })
    assert.deepEqual(block.transactions[0], tx)
    assert.deepEqual(await reader.getTransaction({ blockHash: block.hash, index: 0 }), tx)
    assert.deepEqual(await reader.getTransaction({ blockNumber: 1n, index: 0 }), tx)
    await assert.rejects(reader.getTransaction({ blockNumber: 1n, index: 1 }), /could not be found/)
  })

  test('deploys a contract, calls it and reads its events', async (t) => {
    const clients = await startDevnet(t)
    const address = await deployCounter(clients)
    assert.ok(((await clients.reader.getCode({ address })) ?? '').length > 100)
    const first = await add(clients, address, 3n)
    const second = await add(clients, address, 4n)
    const counter = getContract({ abi: counterAbi, address, client: clients.reader })
    assert.equal(await counter.read.get(), 7n)
    assert.equal(await counter.read.get({ blockNumber: first }), 3n)
    assert.equal(await counter.read.get({ blockNumber: first - 1n }), 0n)
    assert.equal(await clients.reader.getStorageAt({ address, slot: '0x0' }), `0x${'7'.padStart(64, '0')}`)
    const events = await counter.getEvents.Added({}, { fromBlock: 0n })
    assert.deepEqual(
      events.map(({ args, blockNumber, logIndex }) => [args.by, args.total, blockNumber, logIndex]),
      [
        [alice.address, 3n, first, 0],
        [alice.address, 7n, second, 0],
      ],
    )
  })

  test('gets the same events from receipts, logs by block hash, and a filter', async (t) => {
    const clients = await startDevnet(t)
    const { reader } = clients
    const address = await deployCounter(clients)
    const filter = await reader.createContractEventFilter({ abi: counterAbi, address, eventName: 'Added' })
    const blocks = await reader.createBlockFilter()
    const blockNumber = await add(clients, address, 1n)
    const block = await reader.getBlock({ blockNumber })
    const [byHash] = await reader.getLogs({ address, blockHash: block.hash })
    const [changed] = await reader.getFilterChanges({ filter })
    const receipt = await reader.getTransactionReceipt({ hash: block.transactions[0]! })
    const [fromReceipt] = parseEventLogs({ abi: counterAbi, logs: receipt.logs })
    assert.deepEqual(changed?.args, { by: alice.address, total: 1n })
    assert.deepEqual(fromReceipt?.args, changed?.args)
    assert.equal(byHash?.transactionHash, changed?.transactionHash)
    assert.deepEqual(await reader.getFilterChanges({ filter: blocks }), [block.hash])
    assert.deepEqual(await reader.getFilterChanges({ filter }), [])
    assert.equal(await reader.uninstallFilter({ filter }), true)
    assert.match((await failure(reader.getFilterChanges({ filter }))).message, /filter not found/)
  })

  test('finds events by address and topic only where they are', async (t) => {
    const clients = await startDevnet(t)
    const { reader } = clients
    const one = await deployCounter(clients)
    const two = await deployCounter(clients)
    await add(clients, one, 1n)
    await add(clients, two, 2n)
    const event = counterAbi.find((item) => item.type === 'event')!
    const search = (filter: object) => reader.getLogs({ event, fromBlock: 0n, ...filter } as never)
    assert.equal((await search({ address: one })).length, 1)
    assert.equal((await search({ address: [one, two] })).length, 2)
    assert.equal((await search({ args: { by: alice.address } })).length, 2)
    assert.equal((await search({ args: { by: [alice.address, bob.address] } })).length, 2)
    assert.equal((await search({ args: { by: bob.address } })).length, 0)
    assert.equal((await search({ address: bob.address })).length, 0)
    assert.equal((await reader.getLogs({ fromBlock: 0n })).length, 2)
  })

  test('reads the same again from the same block, and something else from the next', async (t) => {
    const clients = await startDevnet(t)
    const { reader } = clients
    const address = await deployCounter(clients)
    const get = (block: object = {}) => reader.readContract({ abi: counterAbi, address, functionName: 'get', ...block })
    const seen: bigint[] = []
    for (let amount = 1n; amount <= 3n; amount++) {
      assert.deepEqual([await get(), await get()], [seen.at(-1) ?? 0n, seen.at(-1) ?? 0n])
      const blockNumber = await add(clients, address, amount)
      assert.equal(await get({ blockTag: 'pending' }), (seen.at(-1) ?? 0n) + amount)
      seen.push(await get({ blockNumber }))
    }
    assert.deepEqual(seen, [1n, 3n, 6n])
    const other = await deployCounter(clients)
    assert.equal(await reader.readContract({ abi: counterAbi, address: other, functionName: 'get' }), 0n)
    assert.equal(await get(), 6n)
    const first = await reader.getBlockNumber()
    for (let back = 0n; back < 3n; back++) assert.ok((await get({ blockNumber: first - back })) >= 3n)
    const environment = () => reader.readContract({ abi: counterAbi, address, functionName: 'environment' })
    const [number] = await environment()
    await add(clients, address, 1n)
    assert.equal((await environment())[0], number + 1n)
  })

  test('is told what a revert said', async (t) => {
    const clients = await startDevnet(t)
    const address = await deployCounter(clients)
    const revertOf = async (functionName: 'fail' | 'panic' | 'refuse') => {
      const error = await failure(
        clients.reader.simulateContract({ abi: counterAbi, address, functionName, account: alice }),
      )
      assert.ok(error instanceof BaseError)
      const reverted = error.walk((cause) => cause instanceof ContractFunctionRevertedError)
      assert.ok(reverted instanceof ContractFunctionRevertedError)
      return reverted
    }
    assert.equal((await revertOf('fail')).reason, 'not today')
    assert.match((await revertOf('panic')).shortMessage, /overflow/)
    assert.deepEqual((await revertOf('refuse')).data, {
      abiItem: counterAbi.find((item) => item.type === 'error'),
      args: [42n],
      errorName: 'Refused',
    })
  })

  test('sees reverts as code 3 with data, and other failures without', async (t) => {
    const clients = await startDevnet(t)
    const to = await deployCounter(clients)
    for (const method of ['eth_call', 'eth_estimateGas']) {
      const call = (functionName: 'fail' | 'panic' | 'unknown') =>
        failure(
          clients.devnet.request({
            method,
            params: [{ to, data: encodeFunctionData({ abi: counterAbi, functionName }) }],
          }),
        )
      const reverted = await call('fail')
      assert.equal(reverted.code, 3)
      assert.equal(reverted.message, 'execution reverted: not today')
      assert.ok(reverted.data?.startsWith('0x08c379a0'))
      assert.equal((await call('panic')).message, 'execution reverted: arithmetic underflow or overflow')
      const crashed = await call('unknown')
      assert.equal(crashed.code, -32000)
      assert.match(crashed.message, /invalid opcode/)
      assert.equal(crashed.data, undefined)
    }
  })

  test('mines a transaction that reverts, and its receipt says so', async (t) => {
    const { wallet, reader, ...rest } = await startDevnet(t)
    const address = await deployCounter({ wallet, reader, ...rest })
    const hash = await wallet.writeContract({ abi: counterAbi, address, functionName: 'fail', gas: 100_000n })
    const receipt = await reader.waitForTransactionReceipt({ hash })
    assert.equal(receipt.status, 'reverted')
    assert.equal(receipt.logs.length, 0)
    assert.ok(receipt.gasUsed < 100_000n)
  })
})

describe('a gas estimate', () => {
  test('is exactly enough for a transfer and for a call', async (t) => {
    const clients = await startDevnet(t)
    const { reader, wallet } = clients
    assert.equal(await reader.estimateGas({ account: alice, to: bob.address, value: 1n }), 21_000n)
    const address = await deployCounter(clients)
    const gas = await reader.estimateContractGas({
      abi: counterAbi,
      address,
      functionName: 'add',
      args: [1n],
      account: alice,
    })
    const call = { abi: counterAbi, address, functionName: 'add', args: [1n] } as const
    const enough = await reader.waitForTransactionReceipt({ hash: await wallet.writeContract({ ...call, gas }) })
    assert.equal(enough.status, 'success')
    assert.equal(enough.gasUsed, gas)
  })

  test('covers what an inner call must be handed, and not much more', async (t) => {
    const clients = await startDevnet(t)
    const outer = await deployCounter(clients)
    const inner = await deployCounter(clients)
    const call = { abi: counterAbi, address: outer, functionName: 'addThrough', args: [inner] } as const
    const gas = await clients.reader.estimateContractGas({ ...call, account: alice })
    const hash = await clients.wallet.writeContract({ ...call, gas })
    const receipt = await clients.reader.waitForTransactionReceipt({ hash })
    assert.equal(receipt.status, 'success')
    assert.ok(gas <= (receipt.gasUsed * 110n) / 100n, `${gas} for ${receipt.gasUsed}`)
  })

  test('says when no allowance would do, and when the sender is too poor', async (t) => {
    const { devnet } = await startDevnet(t)
    const poor = '0x00000000000000000000000000000000000000aa'
    const estimate = (call: object) => failure(devnet.request({ method: 'eth_estimateGas', params: [call] }))
    assert.match(
      (await estimate({ from: alice.address, to: bob.address, gas: '0x5207' })).message,
      /intrinsic gas too low/,
    )
    const broke = await estimate({ from: poor, to: bob.address, value: '0x1', gasPrice: '0x3b9aca00' })
    assert.match(broke.message, /insufficient funds/)
    const loop = await estimate({ from: alice.address, data: '0x5b600056', gas: '0x40000' })
    assert.match(loop.message, /gas required exceeds allowance \(262144\)/)
  })
})

describe('a call', () => {
  test('sees the block that it names', async (t) => {
    const clock = createClock()
    const clients = await startDevnet(t, { clock })
    const { devnet, reader } = clients
    const to = await deployCounter(clients)
    clock.advance(60_000)
    await devnet.mine(3)
    const data = encodeFunctionData({ abi: counterAbi, functionName: 'environment' })
    for (const blockNumber of [2n, 3n, 4n]) {
      const block = await reader.getBlock({ blockNumber })
      const { data: result } = await reader.call({ to, data, blockNumber })
      const [number, timestamp, parentHash, random] = decodeFunctionResult({
        abi: counterAbi,
        functionName: 'environment',
        data: result!,
      })
      assert.deepEqual([number, timestamp, parentHash], [block.number, block.timestamp, block.parentHash])
      assert.equal(random, BigInt(block.mixHash))
    }
    const { data: next } = await reader.call({ to, data, blockTag: 'pending' })
    assert.equal(decodeFunctionResult({ abi: counterAbi, functionName: 'environment', data: next! })[0], 5n)
  })

  test('may come from a contract, which could not send a transaction', async (t) => {
    const clients = await startDevnet(t)
    const address = await deployCounter(clients)
    const data = encodeFunctionData({ abi: counterAbi, functionName: 'add', args: [1n] })
    assert.equal((await clients.reader.call({ account: address, to: address, data })).data, undefined)
    assert.ok((await clients.reader.estimateGas({ account: address, to: address, data })) > 21_000n)
  })

  test('leaves no trace', async (t) => {
    const clients = await startDevnet(t)
    const address = await deployCounter(clients)
    const data = encodeFunctionData({ abi: counterAbi, functionName: 'add', args: [1n] })
    const before = await clients.reader.getBlock()
    await Promise.all(Array.from({ length: 20 }, () => clients.reader.call({ account: alice, to: address, data })))
    assert.equal(await clients.reader.readContract({ abi: counterAbi, address, functionName: 'get' }), 0n)
    assert.equal(await add(clients, address, 1n), before.number + 1n)
    assert.equal(await clients.reader.readContract({ abi: counterAbi, address, functionName: 'get' }), 1n)
  })

  test('of an unknown block, or with overrides, is refused', async (t) => {
    const { devnet } = await startDevnet(t)
    const call = (...params: unknown[]) =>
      failure(devnet.request({ method: 'eth_call', params: [{ to: bob.address }, ...params] }))
    assert.equal((await call('0x10')).message, 'header not found')
    assert.equal((await call('yesterday')).code, -32602)
    assert.match((await call('latest', { [bob.address]: { balance: '0x1' } })).message, /overrides/)
  })
})

describe('the history contract of EIP-2935', () => {
  const HISTORY = '0x0000F90827F1C53a10cb7A02335B175320002935'
  const ask = (number: bigint): Hex => `0x${number.toString(16).padStart(64, '0')}`

  test('gives the hash of every earlier block, and of no later one', async (t) => {
    const { devnet, reader } = await startDevnet(t)
    await devnet.mine(5)
    for (const number of [0n, 1n, 4n]) {
      const { hash } = await reader.getBlock({ blockNumber: number })
      assert.equal((await reader.call({ to: HISTORY, data: ask(number) })).data, hash)
    }
    for (const number of [5n, 6n]) await assert.rejects(reader.call({ to: HISTORY, data: ask(number) }), /reverted/)
  })
})

describe('fees', () => {
  test('follow how full blocks are', async (t) => {
    const { devnet, reader } = await startDevnet(t)
    const first = await reader.getBlock()
    assert.equal(first.baseFeePerGas, 10n ** 9n)
    await devnet.mine(4)
    const history = await reader.getFeeHistory({ blockCount: 5, rewardPercentiles: [10, 50, 90] })
    assert.equal(history.oldestBlock, 0n)
    assert.equal(history.baseFeePerGas.length, 6)
    for (const [index, fee] of history.baseFeePerGas.entries()) {
      if (index > 0) assert.ok(fee < history.baseFeePerGas[index - 1]!, 'an empty block lowers the base fee')
    }
    assert.deepEqual(history.gasUsedRatio, [0, 0, 0, 0, 0])
  })

  test('tell the tips of a block by percentile', async (t) => {
    const { devnet, reader } = await startDevnet(t, { mining: { mode: 'interval', ms: 3_600_000 } })
    for (const [nonce, tip] of [1n, 2n, 3n, 4n].entries()) await send(devnet, await signTransfer(alice, nonce, { tip }))
    await devnet.mine()
    const { reward, gasUsedRatio } = await reader.getFeeHistory({ blockCount: 1, rewardPercentiles: [0, 25, 50, 100] })
    assert.deepEqual(reward, [[1n, 1n, 2n, 4n]])
    assert.equal(gasUsedRatio[0], 84_000 / 30_000_000)
  })

  test('refuse percentiles that are none', async (t) => {
    const { devnet } = await startDevnet(t)
    const ask = (...params: unknown[]) => failure(devnet.request({ method: 'eth_feeHistory', params }))
    for (const bad of [[50, 10], [101], [-1], ['a'], 'x', Array(200).fill(1)]) {
      assert.ok((await ask('0x1', 'latest', bad)).code < 0)
    }
    assert.equal((await ask('0x0', 'latest')).code, -32602)
    assert.equal((await ask('0x1', '0x5')).code, -32000)
  })
})

describe('proofs', () => {
  test('of an account and its slots lead to the state root, at every block', async (t) => {
    const clients = await startDevnet(t)
    const { reader } = clients
    const address = await deployCounter(clients)
    const blocks = [await add(clients, address, 5n), await add(clients, address, 6n)]
    const slots = []
    for (const blockNumber of blocks) {
      const { stateRoot } = await reader.getBlock({ blockNumber })
      const proof = await reader.getProof({ address, storageKeys: [`0x${'0'.repeat(64)}`], blockNumber })
      assert.equal(keccak256(proof.accountProof[0]!), stateRoot)
      assert.equal(keccak256(proof.storageProof[0]!.proof[0]!), proof.storageHash)
      slots.push(proof.storageProof[0]!.value)
    }
    assert.deepEqual(slots, [5n, 11n])
  })
})

describe('a bad request', () => {
  test('is refused with the code that says why', async (t) => {
    const { devnet } = await startDevnet(t)
    const cases: readonly (readonly [method: string, params: unknown, code: number])[] = [
      ['eth_coinbase', [], -32601],
      ['constructor', [], -32601],
      ['eth_getBalance', ['0x12', 'latest'], -32602],
      ['eth_getBalance', [alice.address, '0x'], -32602],
      ['eth_getBalance', [alice.address, { blockHash: '0x12' }], -32602],
      ['eth_getBalance', [alice.address, '0xff'], -32000],
      ['eth_getBalance', { address: alice.address }, -32602],
      ['eth_getStorageAt', [alice.address, `0x${'1'.repeat(65)}`, 'latest'], -32602],
      ['eth_sendRawTransaction', ['0x'], -32602],
      ['eth_sendRawTransaction', ['0x02c0'], -32602],
      ['eth_sendRawTransaction', ['0x03c0'], -32000],
      ['eth_sendRawTransaction', ['zz'], -32602],
      ['eth_sendRawTransaction', [`0x02${'00'.repeat(140_000)}`], -32000],
      ['eth_getLogs', [], -32602],
      ['eth_getLogs', [{ topics: Array(5).fill(null) }], -32602],
      ['eth_getLogs', [{ fromBlock: '0x5', toBlock: '0x1' }], -32602],
      ['eth_getLogs', [{ fromBlock: '0xzz' }], -32602],
      ['eth_getLogs', [{ fromBlock: '0x0', toBlock: '0xffffff' }], -32005],
      ['eth_getLogs', [{ address: Array(2000).fill(alice.address) }], -32602],
      ['eth_call', [{ to: '0x1' }], -32602],
      ['eth_call', [{ to: bob.address, data: '0x1', input: '0x02' }], -32602],
      ['eth_call', [{ to: bob.address, gasPrice: '0x1', maxFeePerGas: '0x1' }], -32602],
      ['eth_call', [{ to: bob.address, value: '0x1' }, 'latest'], -32000],
      ['eth_uninstallFilter', [], 0],
      ['eth_getFilterChanges', ['0x1'], -32000],
    ]
    for (const [method, params, code] of cases) {
      if (code === 0) assert.equal(await devnet.request({ method, params }), false)
      else
        assert.equal(
          (await failure(devnet.request({ method, params }))).code,
          code,
          `${method} ${JSON.stringify(params).slice(0, 80)}`,
        )
    }
    assert.equal(await devnet.request({ method: 'eth_getBlockByNumber', params: ['0xff', false] }), null)
    assert.equal(await devnet.request({ method: 'eth_getTransactionReceipt', params: [`0x${'00'.repeat(32)}`] }), null)
  })
})
