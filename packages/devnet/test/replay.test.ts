import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Block, createBlockFromRLP } from '@ethereumjs/block'
import { createVM, runBlock } from '@ethereumjs/vm'
import type { Hex } from 'viem'
import { createCommon } from '../src/common.ts'
import { buildGenesis, createStateManager, normalizeAlloc } from '../src/genesis.ts'
import { hexFromBytes } from '../src/hex.ts'
import { createDevnet, type Devnet } from '../src/index.ts'
import { StateDb } from '../src/state-db.ts'
import { openStore } from '../src/store.ts'
import { counterAbi, counterCode } from './counter.ts'
import { ALLOC, alice, bob, clientsOf, GENESIS_TIMESTAMP, send, signTransfer, tempDir } from './helpers.ts'

const manual = { mode: 'interval', ms: 3_600_000 } as const

/** A history with transfers, a deployment, events, a revert, an out-of-gas, empty blocks and leaps of time. */
async function makeHistory(devnet: Devnet): Promise<void> {
  const { wallet } = clientsOf(devnet)
  for (let nonce = 0; nonce < 5; nonce += 1)
    await send(devnet, await signTransfer(bob, nonce, { tip: BigInt(5 - nonce) }))
  await send(devnet, await signTransfer(alice, 0))
  await devnet.mine()
  await wallet.deployContract({ abi: counterAbi, bytecode: counterCode, gas: 2_000_000n })
  await devnet.mine(2)
  const [receipt] = (await devnet.request({ method: 'eth_getBlockReceipts', params: ['0x2'] })) as {
    contractAddress: Hex
  }[]
  const call = { abi: counterAbi, address: receipt!.contractAddress, gas: 100_000n } as const
  await wallet.writeContract({ ...call, functionName: 'add', args: [5n] })
  await wallet.writeContract({ ...call, functionName: 'fail' })
  await wallet.writeContract({ ...call, functionName: 'unknown' })
  await devnet.increaseTime(86_400)
  await devnet.mine()
  await wallet.writeContract({ ...call, functionName: 'add', args: [7n], gas: 22_000n })
  await devnet.mine()
}

type RpcBlock = { number: Hex; hash: Hex; timestamp: Hex; stateRoot: Hex; transactions: Hex[] }

function getBlock(devnet: Devnet, number: number): Promise<RpcBlock | null> {
  const params = [`0x${number.toString(16)}`, false]
  return devnet.request({ method: 'eth_getBlockByNumber', params }) as Promise<RpcBlock | null>
}

describe('the same transactions at the same times', () => {
  test('make the same chain again, block hash by block hash', async (t) => {
    const options = {
      genesisAlloc: ALLOC,
      genesisTimestamp: GENESIS_TIMESTAMP,
      mining: manual,
      clock: { nowMs: () => GENESIS_TIMESTAMP * 1000 },
    }
    const dir = tempDir(t)
    const original = await createDevnet({ ...options, dataDir: dir })
    await makeHistory(original)
    const blocks: RpcBlock[] = []
    for (let number = 0; ; number += 1) {
      const block = await getBlock(original, number)
      if (block === null) break
      blocks.push(block)
    }
    await original.close()
    const raws = rawTransactions(dir)
    assert.ok(blocks.length >= 6)
    assert.ok([...raws.values()].flat().length >= 11)

    const replay = await createDevnet(options)
    t.after(() => replay.close())
    for (const block of blocks.slice(1)) {
      // Arrival breaks ties between equal tips, so the order of sending is the order in the block.
      for (const raw of raws.get(Number(block.number)) ?? []) await send(replay, raw)
      await replay.request({ method: 'evm_setNextBlockTimestamp', params: [Number(block.timestamp)] })
      await replay.mine()
      const again = await getBlock(replay, Number(block.number))
      assert.equal(again?.stateRoot, block.stateRoot)
      assert.equal(again?.hash, block.hash)
    }
  })
})

/** The signed transactions of a stored chain by block, read past the JSON-RPC. */
function rawTransactions(dir: string): Map<number, Hex[]> {
  return new Map(
    storedBlocks(dir).map((block) => [
      Number(block.header.number),
      block.transactions.map((tx) => hexFromBytes(tx.serialize())),
    ]),
  )
}

function storedBlocks(dir: string): Block[] {
  const common = createCommon(985)
  const store = openStore(dir)
  const blocks: Block[] = []
  for (let number = 0; ; number += 1) {
    const row = store.findBlock(number)
    if (row === undefined) break
    blocks.push(createBlockFromRLP(row.rlp, { common }))
  }
  store.close()
  return blocks
}

describe("the library's own block processor", () => {
  test('accepts every block: header, base fee, state root, receipts root, bloom and gas', async (t) => {
    const dir = tempDir(t)
    const original = await createDevnet({
      genesisAlloc: ALLOC,
      genesisTimestamp: GENESIS_TIMESTAMP,
      mining: manual,
      dataDir: dir,
    })
    await makeHistory(original)
    await original.close()
    const blocks = storedBlocks(dir)

    const common = createCommon(985)
    const store = openStore(undefined)
    const db = new StateDb(store)
    const genesis = await buildGenesis(db, common, normalizeAlloc(ALLOC), GENESIS_TIMESTAMP, 30_000_000)
    assert.deepEqual(genesis.hash(), blocks[0]?.hash())
    const blockchain = {
      getBlock: (id: number | Uint8Array) => {
        const found = blocks.find((block) =>
          typeof id === 'number' ? Number(block.header.number) === id : hexFromBytes(block.hash()) === hexFromBytes(id),
        )
        return Promise.resolve(found!)
      },
      putBlock: () => Promise.resolve(),
      shallowCopy: () => blockchain,
    }
    const stateManager = createStateManager(db, common, genesis.header.stateRoot)
    const vm = await createVM({ common, stateManager, blockchain })
    for (const [index, block] of blocks.entries()) {
      if (index === 0) continue
      await runBlock(vm, { block, root: blocks[index - 1]!.header.stateRoot, skipHeaderValidation: true })
      assert.equal(block.header.baseFeePerGas, blocks[index - 1]!.header.calcNextBaseFee())
    }
    store.close()
  })
})
