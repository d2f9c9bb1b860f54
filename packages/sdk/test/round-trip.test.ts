import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CHUNK_BYTES, createCidBuilder, MAX_PART_BYTES, STRIP_BYTES, stripePlainBytesOf } from '@memo/core'
import { createWorld, sha256Hex, testBytes } from './support/world.ts'

const STRIPE = stripePlainBytesOf(4, true)
const CLEAR_STRIPE = stripePlainBytesOf(4, false)

describe('what was put is read again', () => {
  const edges = [CHUNK_BYTES, 16 * CHUNK_BYTES, STRIP_BYTES, STRIPE, CLEAR_STRIPE]
  const around = edges.flatMap((edge) => [edge - 1, edge, edge + 1])
  for (const sizeBytes of [0, 1, 63, 64, 65, 4_096, 262_144, ...around, 2 * STRIPE + 77]) {
    test(`${sizeBytes} bytes, private and public`, async () => {
      const world = createWorld()
      const bytes = testBytes(sizeBytes)
      const expected = createCidBuilder()
      expected.update(bytes)
      const cid = expected.finish()
      for (const isPublic of [false, true]) {
        const stored = await world.put(bytes, { isPublic })
        assert.equal(stored.cid, cid)
        assert.equal(stored.sizeBytes, sizeBytes)
        assert.equal(stored.deduplicated, false)
        assert.equal(stored.manifest.contentKey === undefined, isPublic)
        assert.equal(sha256Hex(await world.read(stored.manifest)), sha256Hex(bytes))
      }
      await world.storage.close()
      assert.equal(world.time.sleeping(), 0, 'nothing waits any more')
      assert.deepEqual(world.faults, [])
    })
  }

  test('parts of the same bytes in clear stand once in the index, and everything is read', async () => {
    const world = createWorld({ providers: 3 })
    const bytes = new Uint8Array(2 * MAX_PART_BYTES + 5)
    const stored = await world.put(bytes, { isPublic: true, policy: 'rs:1+1' })
    assert.equal(stored.manifest.parts.length, 3)
    assert.equal(stored.partIds.length, 2)
    assert.equal(sha256Hex(await world.read(stored.manifest)), sha256Hex(bytes))
  })
})
