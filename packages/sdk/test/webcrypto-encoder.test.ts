import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CHUNK_BYTES, encodeStripe, type StripeInput, stripePlainBytesOf } from '@memo/core'
import fc from 'fast-check'
import { createWebCryptoEncoder } from '../src/browser/index.ts'
import { createWorld, sha256Hex, testBytes } from './support/world.ts'

const KEY = testBytes(32)
const POLICY = { dataShards: 2, parityShards: 1 }
const FULL = stripePlainBytesOf(POLICY.dataShards, true)
const encode = createWebCryptoEncoder()

async function assertSame(stripe: StripeInput): Promise<void> {
  const [actual, expected] = [await encode(stripe), encodeStripe(stripe)]
  assert.equal(actual.stripBytes, expected.stripBytes)
  assert.equal(actual.storedBytes, expected.storedBytes)
  for (const kind of ['strips', 'units'] as const) {
    assert.deepEqual(actual[kind].map(sha256Hex), expected[kind].map(sha256Hex), kind)
  }
}

describe('what WebCrypto seals is what the engine seals', () => {
  for (const sizeBytes of [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, FULL - 1, FULL]) {
    test(`${sizeBytes} bytes that end their object`, async () => {
      const plaintext = testBytes(sizeBytes)
      await assertSame({ ...POLICY, plaintext, contentKey: KEY, firstChunk: 0, endsObject: true })
    })
  }

  test('a stripe in the middle of a large object, in memory that was used before', async () => {
    const stripe = {
      ...POLICY,
      plaintext: testBytes(FULL),
      contentKey: KEY,
      firstChunk: 2 ** 33 + 5,
      endsObject: false,
    }
    await assertSame(stripe)
    const buffer = new Uint8Array(3 * 1_048_576).fill(9)
    const { strips } = await encode({ ...stripe, buffer })
    assert.equal(strips[0]?.buffer, buffer.buffer, 'no other memory is taken for the strips')
    assert.deepEqual(strips.map(sha256Hex), encodeStripe(stripe).strips.map(sha256Hex))
  })

  test('any length at any place, sealed or in clear', async () => {
    const stripe = fc.record({
      plaintext: fc.uint8Array({ minLength: 1, maxLength: 2_000 }),
      contentKey: fc.option(fc.uint8Array({ minLength: 32, maxLength: 32 }), { nil: undefined }),
      firstChunk: fc.nat(),
      endsObject: fc.constant(true),
    })
    await fc.assert(fc.asyncProperty(stripe, async (input) => await assertSame({ ...POLICY, ...input })))
  })

  test('an object put so is read by whoever has its manifest', async () => {
    const bytes = testBytes(2 * FULL + 12_345)
    const world = createWorld({ providers: 4, encode })
    const stored = await world.put(bytes, { policy: 'rs:2+1' })
    assert.equal(sha256Hex(await world.read(stored.manifest)), sha256Hex(bytes))
    await world.storage.close()
  })
})
