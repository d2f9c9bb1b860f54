import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  CHUNK_BYTES,
  type Manifest,
  partGeometry,
  SEALED_CHUNK_BYTES,
  STRIP_BYTES,
  sealedBytesOf,
  stripBytesOf,
  stripeRangeOf,
} from '@memo/core'
import fc from 'fast-check'
import { leastPiecesOf, planDrops } from '../src/put/lag.ts'
import { planObject, planParts, planStripes } from '../src/read/plan.ts'

const LIMITS = { lagMs: 1_000, lagFactor: 2, stallMs: 60_000 }

function manifestOf(sizeBytes: number, lengths: readonly number[], isSealed: boolean): Manifest {
  return {
    name: 'a',
    contentType: 'text/plain',
    cid: '',
    sizeBytes,
    createdAt: 0,
    isPublic: !isSealed,
    contentKey: isSealed ? new Uint8Array(32) : undefined,
    parts: lengths.map((length, i) => ({ partId: new Uint8Array(32).fill(i + 1), offset: i, length })),
    metadata: {},
  }
}

describe('which lanes are dropped', () => {
  const lane = (heldMs: number, busySinceMs: number | undefined = 0) => ({ heldMs, busySinceMs })

  test('one that the others waited for too long, and no other', () => {
    const [held, moving] = [lane(1_001), lane(999)]
    assert.deepEqual(planDrops({ behind: [held, moving], nowMs: 5_000, tookMs: 10 }, LIMITS), [held])
  })

  test('patience grows with what the others needed', () => {
    assert.deepEqual(planDrops({ behind: [lane(5_000)], nowMs: 5_000, tookMs: 3_000 }, LIMITS), [])
    assert.equal(planDrops({ behind: [lane(6_001)], nowMs: 5_000, tookMs: 3_000 }, LIMITS).length, 1)
  })

  test('one that does not move at all, whatever the others do; but never one that waits for us', () => {
    const behind = [lane(0, 0), { heldMs: 0, busySinceMs: undefined }]
    assert.deepEqual(planDrops({ behind, nowMs: 60_001, tookMs: 10 ** 9 }, LIMITS), [behind[0]])
    assert.deepEqual(planDrops({ behind, nowMs: 60_000, tookMs: 10 ** 9 }, LIMITS), [])
  })

  test('k + ⌈m/2⌉ must be left', () => {
    const cases: [number, number, number][] = [
      [4, 2, 5],
      [10, 5, 13],
      [1, 1, 2],
      [2, 1, 3],
      [16, 4, 18],
    ]
    for (const [dataShards, parityShards, least] of cases)
      assert.equal(leastPiecesOf({ dataShards, parityShards }), least)
  })
})

describe('what a range needs', () => {
  const sizes = fc.integer({ min: 0, max: 5 * CHUNK_BYTES + 3 })

  test('whole chunks that cover it, and no more', () => {
    fc.assert(
      fc.property(sizes, fc.nat(400_000), fc.nat(400_000), (sizeBytes, offset, length) => {
        const stored = sealedBytesOf(sizeBytes)
        const plan = planObject(manifestOf(sizeBytes, [stored], true), { offset, length })
        assert.equal(plan.length, Math.max(0, Math.min(sizeBytes - offset, length)))
        assert.equal(plan.stored.offset % SEALED_CHUNK_BYTES, 0)
        assert.equal(plan.stored.offset, plan.firstChunk * SEALED_CHUNK_BYTES)
        assert.ok(plan.stored.offset + plan.stored.length <= stored)
        const chunks = Math.ceil(plan.stored.length / SEALED_CHUNK_BYTES)
        assert.ok(plan.skip + plan.length <= chunks * CHUNK_BYTES)
        assert.ok(plan.length === 0 || chunks <= Math.ceil(plan.length / CHUNK_BYTES) + 1)
        if (plan.length > 0) assert.equal(plan.endsObject, plan.stored.offset + plan.stored.length === stored)
      }),
    )
  })

  test('parts in a row, wherever they are cut', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(lengths, fc.nat(300), fc.nat(300), (parts, from, length) => {
        const total = parts.reduce((sum, one) => sum + one, 0)
        const offset = Math.min(from, total)
        const range = { offset, length: Math.min(length, total - offset) }
        const places = planParts(manifestOf(total, parts, false), range).flatMap((slice) => {
          const part = slice.partId[0]! - 1
          const before = parts.slice(0, part).reduce((sum, one) => sum + one, 0)
          return Array.from({ length: slice.length }, (_, i) => before + slice.offset - part + i)
        })
        assert.deepEqual(
          places,
          Array.from({ length: range.length }, (_, i) => offset + i),
        )
      }),
    )
  })

  test('slices of data strips that lie where the bytes lie', () => {
    const policies = fc.constantFrom([4, 2], [1, 1], [10, 5], [3, 2])
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 30 * STRIP_BYTES }), fc.nat(), fc.nat(), (policy, size, a, b) => {
        const geometry = partGeometry(size, policy[0]!, policy[1]!)
        const offset = a % size
        const length = Math.min(b % (3 * STRIP_BYTES), size - offset)
        let at = offset
        for (const { stripe, slices } of planStripes(geometry, { offset, length })) {
          const stripBytes = stripBytesOf(geometry, stripe)
          for (const { piece, from, to } of slices) {
            assert.ok(piece < geometry.dataShards && from < to && to <= stripBytes)
            assert.equal(stripeRangeOf(geometry, stripe).offset + piece * stripBytes + from, at)
            at += to - from
          }
        }
        assert.equal(at, offset + length)
      }),
    )
  })

  test('a manifest that contradicts itself gives no plan', () => {
    assert.throws(() => planObject(manifestOf(10, [10], true), {}), { name: 'BadInputError' })
    assert.throws(() => planObject(manifestOf(10, [5, 4], false), {}), { name: 'BadInputError' })
    assert.throws(() => planStripes(partGeometry(100, 4, 2), { offset: 50, length: 51 }), { name: 'BadInputError' })
  })
})
