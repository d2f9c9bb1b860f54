import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ApiError } from '../src/errors.ts'
import { createPublicReads } from '../src/quota/public-reads.ts'
import { cidOf } from './support/caller.ts'
import { startReadyGateway } from './support/gateway.ts'
import { startNetwork } from './support/network.ts'
import { bytesOf, errorOf, fresh, store } from './support/objects.ts'

const MIB = 1_048_576
const HOUR_MS = 3_600_000

function createReads(bytesPerHour: number) {
  const clock = { ms: 1_800_000_000_000 }
  const reads = createPublicReads({ nowMs: () => clock.ms, bytesPerHour })
  const begin = (cid: string, length: number, sizeBytes = length) => reads.begin({ cid, sizeBytes }, length)
  /** The seconds after which a refused read may come again. */
  const refusedFor = (cid: string, length: number, sizeBytes = length): number => {
    let seconds = 0
    assert.throws(
      () => begin(cid, length, sizeBytes),
      (thrown: unknown) => {
        assert.ok(thrown instanceof ApiError)
        assert.equal(thrown.status, 503)
        seconds = Number(thrown.headers['retry-after'])
        return true
      },
    )
    return seconds
  }
  return { clock, begin, refusedFor }
}

async function* streamOf(...sizes: number[]): AsyncGenerator<Uint8Array> {
  for (const size of sizes) yield new Uint8Array(size)
}

describe('reads of public objects that nobody pays for', () => {
  test('are as many as an hour has, and come back with time', () => {
    const { clock, begin, refusedFor } = createReads(160 * MIB)
    for (const cid of ['a', 'b', 'c', 'd']) begin(cid, 40 * MIB)
    assert.equal(refusedFor('e', 40 * MIB), 900)
    clock.ms += 899_000
    assert.equal(refusedFor('e', 40 * MIB), 1)
    clock.ms += 1_000
    begin('e', 40 * MIB)
    clock.ms -= HOUR_MS
    assert.equal(refusedFor('f', 40 * MIB), 900, 'a clock that jumps back gives nothing')
    clock.ms += 100 * HOUR_MS
    for (const cid of ['a', 'b', 'c', 'd']) begin(cid, 40 * MIB)
    refusedFor('e', MIB)
  })

  test('of one object take a quarter of it and leave the rest to others', () => {
    const { begin, refusedFor } = createReads(160 * MIB)
    for (let i = 0; i < 40; i++) begin('a', MIB)
    assert.equal(refusedFor('a', MIB), 90)
    begin('b', 40 * MIB)
  })

  test('that are larger than there ever is are served once it is full, and owed then', () => {
    const { clock, begin, refusedFor } = createReads(160 * MIB)
    begin('a', 400 * MIB)
    clock.ms += HOUR_MS
    refusedFor('b', 40 * MIB)
    clock.ms += HOUR_MS
    begin('b', 40 * MIB)
  })

  test('count what is read for them, not only what is asked for or sent', async () => {
    const { begin, refusedFor } = createReads(160 * MIB)
    for (let i = 0; i < 40; i++) begin('a', 1, 2 ** 30)
    refusedFor('a', 1, 2 ** 30)
    for (let i = 0; i < 400; i++) begin('small', 100)
    // Cut off after a byte, the rest is given back but for what was read ahead.
    const cut = begin('b', 40 * MIB)
    for await (const _ of cut.watch(streamOf(1, MIB))) break
    await cut.end(true)
    begin('b', 31 * MIB)
    refusedFor('b', 2 * MIB)
    const failed = begin('c', 40 * MIB)
    await failed.end(false)
    begin('c', 32 * MIB)
    refusedFor('c', MIB)
  })

  test('are none where the operator gives none', () => {
    const { clock, refusedFor } = createReads(0)
    assert.equal(refusedFor('a', 1), 3_600)
    clock.ms += 100 * HOUR_MS
    assert.equal(refusedFor('a', 1), 3_600)
  })

  test('are refused by a gateway with 503 and when to come again, before a byte is read', async () => {
    const network = await startNetwork()
    const gateway = await startReadyGateway(network, { quota: { publicReadBytesPerHour: 1_600 } })
    try {
      const caller = await gateway.join()
      const content = fresh(400)
      await store(caller, content, { isPublic: true })
      const get = async (method = 'GET') => await fetch(`${gateway.url}/mefs/${cidOf(content)}`, { method })
      assert.deepEqual(await bytesOf(await get()), content)
      const refused = await get()
      assert.equal(refused.status, 503)
      const seconds = Number(refused.headers.get('retry-after'))
      assert.ok(seconds > 3_000 && seconds <= 3_600, `${seconds}`)
      assert.match((await errorOf(refused)).Description, /this public file unpaid as it does in an hour/)
      assert.equal((await get('HEAD')).status, 200, 'what costs nothing is answered')
    } finally {
      await gateway.close()
      await network.close()
    }
  })
})
