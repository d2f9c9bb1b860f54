import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { stripeStoredBytesOf } from '@memo/core'
import { BROWSER_LIMITS } from '../src/browser/index.ts'
import { createWorld, sha256Hex, testBytes } from './support/world.ts'

const STRIPE = stripeStoredBytesOf(2)
const BYTES = testBytes(5 * STRIPE + 100)

describe('parts are no larger than they are said to be', () => {
  const expected: readonly [partBytes: number, parts: readonly number[]][] = [
    [2 * STRIPE, [2 * STRIPE, 2 * STRIPE, STRIPE + 100]],
    [3 * STRIPE - 1, [2 * STRIPE, 2 * STRIPE, STRIPE + 100]],
    [1, [STRIPE, STRIPE, STRIPE, STRIPE, STRIPE, 100]],
    [Number.MAX_SAFE_INTEGER, [5 * STRIPE + 100]],
  ]
  for (const [partBytes, parts] of expected) {
    test(`${partBytes} bytes`, async () => {
      const world = createWorld({ providers: 4, limits: { partBytes } })
      const stored = await world.put(BYTES, { isPublic: true, policy: 'rs:2+1' })
      assert.deepEqual(
        stored.manifest.parts.map(({ length }) => length),
        parts,
      )
      assert.equal(sha256Hex(await world.read(stored.manifest)), sha256Hex(BYTES))
      await world.storage.close()
    })
  }

  test('a put with the limits of browsers is read by whoever has others', async () => {
    const bytes = testBytes(20 * 1_048_576)
    const world = createWorld({ providers: 4, limits: BROWSER_LIMITS })
    const stored = await world.put(bytes, { policy: 'rs:2+1' })
    assert.equal(stored.manifest.parts.length, 2)
    assert.equal(sha256Hex(await world.read(stored.manifest)), sha256Hex(bytes))
    await world.storage.close()
  })
})
