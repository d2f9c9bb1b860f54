import assert from 'node:assert/strict'
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, type TestContext, test } from 'node:test'
import type { Hex } from 'viem'
import {
  BadOptionError,
  type ChainStoppedError,
  createDevnet,
  type Devnet,
  type DevnetOptions,
  DirectoryInUseError,
  StoreMismatchError,
} from '../src/index.ts'
import { counterAbi, counterCode } from './counter.ts'
import { ALLOC, alice, bob, clientsOf, createClock, GENESIS_TIMESTAMP, send, signTransfer, tempDir } from './helpers.ts'

function open(dataDir: string, options: Partial<DevnetOptions> = {}): Promise<Devnet> {
  return createDevnet({ dataDir, genesisAlloc: ALLOC, ...options })
}

/** Every block with its transactions and receipts. */
async function wholeChain(devnet: Devnet): Promise<unknown[]> {
  const height = Number((await devnet.request({ method: 'eth_blockNumber' })) as Hex)
  const blocks: unknown[] = []
  for (let number = 0; number <= height; number += 1) {
    const tag = `0x${number.toString(16)}`
    blocks.push(await devnet.request({ method: 'eth_getBlockByNumber', params: [tag, true] }))
    blocks.push(await devnet.request({ method: 'eth_getBlockReceipts', params: [tag] }))
  }
  return blocks
}

async function someHistory(devnet: Devnet): Promise<void> {
  const { wallet, reader } = clientsOf(devnet)
  const deployed = await reader.waitForTransactionReceipt({
    hash: await wallet.deployContract({ abi: counterAbi, bytecode: counterCode }),
  })
  const address = deployed.contractAddress!
  for (const amount of [1n, 2n, 3n]) {
    const hash = await wallet.writeContract({ abi: counterAbi, address, functionName: 'add', args: [amount] })
    await reader.waitForTransactionReceipt({ hash })
  }
  await devnet.mine(2)
}

describe('a restart', () => {
  test('keeps every block, receipt, log and past state', async (t) => {
    const dir = tempDir(t)
    const first = await open(dir)
    await someHistory(first)
    const before = await wholeChain(first)
    const logs = await first.request({ method: 'eth_getLogs', params: [{ fromBlock: '0x0' }] })
    await first.close()

    const second = await open(dir)
    t.after(() => second.close())
    assert.deepEqual(await wholeChain(second), before)
    assert.deepEqual(await second.request({ method: 'eth_getLogs', params: [{ fromBlock: '0x0' }] }), logs)
    const { reader, wallet } = clientsOf(second)
    const [log] = await reader.getLogs({ fromBlock: 0n })
    const address = log!.address
    const read = (blockNumber: bigint) =>
      reader.readContract({ abi: counterAbi, address, functionName: 'get', blockNumber })
    assert.deepEqual(await Promise.all([1n, 2n, 3n, 4n].map(read)), [0n, 1n, 3n, 6n])
    const hash = await wallet.writeContract({ abi: counterAbi, address, functionName: 'add', args: [4n] })
    assert.equal((await reader.waitForTransactionReceipt({ hash })).blockNumber, 7n)
    assert.equal(await read(7n), 10n)
  })

  test('goes on with the time that was set, and with a date that was ordered', async (t) => {
    const dir = tempDir(t)
    const clock = createClock()
    const first = await open(dir, { clock })
    await first.increaseTime(5_000)
    await first.mine()
    await first.request({ method: 'evm_setNextBlockTimestamp', params: [GENESIS_TIMESTAMP + 9_000] })
    await first.close()

    const second = await open(dir, { clock })
    const timestamp = async (devnet: Devnet) => (await clientsOf(devnet).reader.getBlock()).timestamp
    assert.equal(await timestamp(second), BigInt(GENESIS_TIMESTAMP + 5_000))
    await second.mine()
    assert.equal(await timestamp(second), BigInt(GENESIS_TIMESTAMP + 9_000))
    await second.close()

    const third = await open(dir, { clock })
    t.after(() => third.close())
    clock.advance(10_000)
    await third.mine()
    assert.equal(await timestamp(third), BigInt(GENESIS_TIMESTAMP + 9_010))
  })

  test('begins the same chain again from the same genesis', async (t) => {
    const options = { genesisTimestamp: GENESIS_TIMESTAMP }
    const durable = await open(tempDir(t), options)
    const memory = await createDevnet({ genesisAlloc: ALLOC, ...options })
    t.after(() => Promise.all([durable.close(), memory.close()]))
    assert.deepEqual(await wholeChain(durable), await wholeChain(memory))
  })
})

describe('a data directory', () => {
  test('is refused to a second chain while the first lives, and free afterwards', async (t) => {
    const dir = tempDir(t)
    const first = await open(dir)
    await assert.rejects(open(dir), (error) => {
      assert.ok(error instanceof DirectoryInUseError)
      assert.match(error.message, new RegExp(`in use by process ${process.pid}`))
      assert.match(error.fix ?? '', /stop/)
      return true
    })
    await first.close()
    await first.close()
    await (await open(dir)).close()
  })

  test('whose lock file was left behind by the dead is free', async (t) => {
    const dir = tempDir(t)
    await (await open(dir)).close()
    writeFileSync(join(dir, 'lock.pid'), '999999999\n')
    assert.ok(existsSync(join(dir, 'lock.db')))
    await (await open(dir)).close()
  })

  test('of another chain id, allocation, genesis time or gas limit is refused', async (t) => {
    const dir = tempDir(t)
    const begun = { chainId: 985, genesisTimestamp: GENESIS_TIMESTAMP }
    await (await open(dir, begun)).close()
    const others: readonly (readonly [options: Partial<DevnetOptions>, says: RegExp])[] = [
      [{ chainId: 986 }, /has chain id 985, but 986 was asked for/],
      [{ genesisAlloc: { [bob.address]: 1n } }, /genesis allocation/],
      [{ genesisAlloc: {} }, /genesis allocation/],
      [{ genesisTimestamp: 1 }, /genesis timestamp 1800000000, but 1/],
      [{ blockGasLimit: 60_000_000 }, /block gas limit 30000000/],
    ]
    for (const [options, says] of others) {
      await assert.rejects(open(dir, options), (error) => {
        assert.ok(error instanceof StoreMismatchError)
        assert.match(error.message, says)
        assert.match(error.fix ?? '', /mv /)
        return true
      })
    }
    // Neither the order nor the spelling of the allocation matters.
    const respelled = Object.fromEntries(
      Object.entries(ALLOC)
        .reverse()
        .map(([address, wei]) => [address.toLowerCase(), wei]),
    )
    await (await open(dir, { genesisAlloc: respelled })).close()
  })

  test('of another schema version is refused', async (t) => {
    const dir = tempDir(t)
    await (await open(dir)).close()
    const db = new DatabaseSync(join(dir, 'chain.db'))
    db.exec('PRAGMA user_version = 99')
    db.close()
    await assert.rejects(open(dir), {
      name: 'StoreMismatchError',
      message: /schema version 99; this program reads version 1/,
    })
  })

  test('that is no database is refused, and let go of', async (t) => {
    const dir = tempDir(t)
    writeFileSync(join(dir, 'chain.db'), 'these are not the bytes of a database '.repeat(200))
    await assert.rejects(open(dir), /not a database/)
    await assert.rejects(open(dir), /not a database/)
  })
})

describe('an option that makes no chain', () => {
  test('is refused', async () => {
    const bad: readonly Partial<DevnetOptions>[] = [
      { chainId: 0 },
      { chainId: 1.5 },
      { chainId: Number.MAX_SAFE_INTEGER },
      { genesisTimestamp: -1 },
      { blockGasLimit: 1 },
      { heartbeatMs: 0 },
      { mining: { mode: 'interval', ms: 1 } },
      { mining: { mode: 'interval', ms: Number.NaN } },
      { genesisAlloc: { '0x12': 1n } },
      { genesisAlloc: { [alice.address]: -1n } },
      { genesisAlloc: { [alice.address]: 1n << 256n } },
      { genesisAlloc: { [alice.address]: 1n, [alice.address.toLowerCase()]: 1n } },
    ]
    for (const options of bad) await assert.rejects(createDevnet({ genesisAlloc: {}, ...options }), BadOptionError)
  })
})

describe('a block that cannot be stored', () => {
  /** Another program that holds the write lock of the database is a fault that can be made for real. */
  function blockWrites(t: TestContext, dir: string): () => void {
    const intruder = new DatabaseSync(join(dir, 'chain.db'))
    intruder.exec('BEGIN IMMEDIATE')
    let open = true
    const release = (): void => {
      if (open) intruder.close()
      open = false
    }
    t.after(release)
    return release
  }

  test('stops the chain: no receipt, no further answer, and the stored blocks are intact', async (t) => {
    const dir = tempDir(t)
    const stops: ChainStoppedError[] = []
    const devnet = await open(dir, { onStopped: (error) => stops.push(error) })
    await someHistory(devnet)
    const before = await wholeChain(devnet)
    const release = blockWrites(t, dir)
    const hash = await send(devnet, await signTransfer(alice, 4))
    await assert.rejects(devnet.mine(), { name: 'RpcError', code: -32603, message: /the chain has stopped.*locked/ })
    for (const method of ['eth_getTransactionReceipt', 'eth_blockNumber', 'eth_sendRawTransaction', 'evm_mine']) {
      await assert.rejects(devnet.request({ method, params: [hash] }), /the chain has stopped/)
    }
    assert.equal(stops.length, 1)
    assert.match(stops[0]?.fix ?? '', /start the chain again/)
    release()
    await devnet.close()

    const again = await open(dir)
    t.after(() => again.close())
    assert.deepEqual(await wholeChain(again), before)
    assert.equal(await again.request({ method: 'eth_getTransactionReceipt', params: [hash] }), null)
  })

  test('also when it is the time that cannot be stored', async (t) => {
    const dir = tempDir(t)
    const devnet = await open(dir)
    t.after(() => devnet.close())
    blockWrites(t, dir)
    await assert.rejects(devnet.increaseTime(5), /the chain has stopped/)
    await assert.rejects(devnet.mine(), /the chain has stopped/)
  })
})

describe('a chain that was closed', () => {
  test('finishes its block first, and then refuses in clear words', async (t) => {
    const dir = tempDir(t)
    const devnet = await open(dir)
    const mined = devnet.mine()
    const refused = mined.then(() => devnet.mine())
    await Promise.all([mined, devnet.close()])
    await assert.rejects(refused, { code: -32603, message: 'the chain has closed' })
    for (const method of ['eth_blockNumber', 'evm_mine', 'eth_call']) {
      await assert.rejects(devnet.request({ method, params: [{}] }), { message: 'the chain has closed' })
    }
    const again = await open(dir)
    t.after(() => again.close())
    assert.equal(await again.request({ method: 'eth_blockNumber' }), '0x1')
  })
})

describe('the directory of a chain', () => {
  test('is for its owner only', async (t) => {
    const parent = tempDir(t)
    chmodSync(parent, 0o755)
    const dir = join(parent, 'chain')
    await (await open(dir)).close()
    const { statSync } = await import('node:fs')
    assert.equal(statSync(dir).mode & 0o777, 0o700)
  })
})
