import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { Hex } from 'viem'
import { alice, createClock, GENESIS_TIMESTAMP, send, signTransfer, startDevnet } from './helpers.ts'

/** The JSON-RPC error that a call ends in. */
async function failure(call: Promise<unknown>): Promise<{ code: number; message: string; data?: Hex }> {
  return call.then(
    () => assert.fail('the call succeeded'),
    (error) => error,
  )
}

describe('time', () => {
  test('follows the clock, and strictly increases within a second', async (t) => {
    const clock = createClock()
    const { devnet, reader } = await startDevnet(t, { clock })
    await devnet.mine(3)
    assert.equal((await reader.getBlock()).timestamp, BigInt(GENESIS_TIMESTAMP + 3))
    clock.advance(100_000)
    await devnet.mine()
    assert.equal((await reader.getBlock()).timestamp, BigInt(GENESIS_TIMESTAMP + 100))
  })

  test('is moved by a step and by a date', async (t) => {
    const { devnet, reader, control } = await startDevnet(t, { clock: createClock() })
    await devnet.increaseTime(3600)
    await devnet.mine()
    assert.equal((await reader.getBlock()).timestamp, BigInt(GENESIS_TIMESTAMP + 3600))
    await control.setNextBlockTimestamp({ timestamp: BigInt(GENESIS_TIMESTAMP + 10_000) })
    await control.increaseTime({ seconds: 5 })
    await devnet.mine()
    assert.equal((await reader.getBlock()).timestamp, BigInt(GENESIS_TIMESTAMP + 10_000))
    await devnet.mine()
    assert.equal((await reader.getBlock()).timestamp, BigInt(GENESIS_TIMESTAMP + 10_001))
  })

  test('does not go back, nor a century ahead', async (t) => {
    const { devnet } = await startDevnet(t)
    const call = (method: string, value: unknown) => failure(devnet.request({ method, params: [value] }))
    assert.match((await call('evm_setNextBlockTimestamp', GENESIS_TIMESTAMP)).message, /lower than or equal/)
    for (const bad of [-1, 1.5, '1', 1e13, null, undefined, {}]) {
      assert.equal((await call('evm_increaseTime', bad)).code, -32602)
    }
    await devnet.mine()
  })
})

describe('mining', () => {
  test('in auto mode puts what waits into one block', async (t) => {
    const { devnet, reader } = await startDevnet(t)
    const raws = await Promise.all(Array.from({ length: 20 }, (_, nonce) => signTransfer(alice, nonce)))
    const hashes = await Promise.all(raws.map((raw) => send(devnet, raw)))
    const receipts = await Promise.all(hashes.map((hash) => reader.waitForTransactionReceipt({ hash })))
    assert.ok(new Set(receipts.map(({ blockNumber }) => blockNumber)).size < 10)
  })

  test('strands no transaction, however sends and blocks interleave', async (t: TestContext) => {
    const { devnet, reader } = await startDevnet(t)
    for (let nonce = 0; nonce < 150; nonce += 1) {
      await send(devnet, await signTransfer(alice, nonce))
      for (let turn = nonce % 7; turn > 0; turn -= 1) await new Promise((resolve) => setImmediate(resolve))
    }
    const hash = await send(devnet, await signTransfer(alice, 150))
    await reader.waitForTransactionReceipt({ hash, timeout: 5_000 })
    assert.equal(await reader.getTransactionCount({ address: alice.address }), 151)
  })

  test('by timer makes blocks with and without transactions', async (t) => {
    const { devnet, reader } = await startDevnet(t, { mining: { mode: 'interval', ms: 20 } })
    const hash = await send(devnet, await signTransfer(alice, 0))
    const { blockNumber } = await reader.waitForTransactionReceipt({ hash })
    while ((await reader.getBlockNumber()) < blockNumber + 2n) await new Promise((resolve) => setTimeout(resolve, 5))
  })

  test('by timer makes no empty block when told so, but beats when idle', async (t) => {
    const idle = await startDevnet(t, { mining: { mode: 'interval', ms: 10, empty: false } })
    const beating = await startDevnet(t, { heartbeatMs: 15 })
    while ((await beating.reader.getBlockNumber()) < 3n) await new Promise((resolve) => setTimeout(resolve, 5))
    assert.equal(await idle.reader.getBlockNumber(), 0n)
    const hash = await send(idle.devnet, await signTransfer(alice, 0))
    assert.equal((await idle.reader.waitForTransactionReceipt({ hash })).blockNumber, 1n)
  })
})
