import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  combineUnits,
  decodeStripe,
  encodeStripe,
  hashUnits,
  MAX_PART_BYTES,
  openChunks,
  partGeometry,
  partStoredBytesOf,
  rebuildStrip,
  rootFromPiece,
  STRIP_BYTES,
  sealedBytesOf,
  stripeBufferBytesOf,
  stripePlainBytesOf,
  stripeStoredBytesOf,
  TooFewShardsError,
} from '@memo/core'
import { dataOf } from './support/data.ts'

const policy = { dataShards: 4, parityShards: 2 }
const key = dataOf('stripe key', 32)

describe('stripe geometry', () => {
  test('a full stripe is k strips and a full part the stripes that fit in 64 MiB', () => {
    assert.equal(stripeStoredBytesOf(4), 4 * STRIP_BYTES)
    assert.equal(partStoredBytesOf(4), MAX_PART_BYTES)
    assert.equal(partStoredBytesOf(10), 60 * STRIP_BYTES)
    assert.equal(partStoredBytesOf(64), MAX_PART_BYTES)
  })

  test('more than 64 data strips share one stripe of 64 MiB', () => {
    assert.equal(stripeStoredBytesOf(200), MAX_PART_BYTES)
    assert.equal(partStoredBytesOf(200), MAX_PART_BYTES)
    assert.equal(partGeometry(MAX_PART_BYTES, 200, 56).stripes, 1)
  })

  test('the plaintext of a full stripe seals to exactly that stripe', () => {
    for (const k of [1, 4, 10, 64, 200]) {
      assert.equal(sealedBytesOf(stripePlainBytesOf(k, true)), stripeStoredBytesOf(k))
      assert.equal(stripePlainBytesOf(k, false), stripeStoredBytesOf(k))
    }
  })
})

describe('encodeStripe', () => {
  test('a sealed stripe comes back from every choice of k strips', () => {
    const plaintext = dataOf('choice', 300_000)
    const { strips, storedBytes } = encodeStripe({
      ...policy,
      plaintext,
      contentKey: key,
      firstChunk: 7,
      endsObject: true,
    })
    const geometry = partGeometry(storedBytes, 4, 2)
    for (let a = 0; a < 6; a++) {
      for (let b = a + 1; b < 6; b++) {
        const present = new Map([...strips.entries()].filter(([index]) => index !== a && index !== b))
        const stored = decodeStripe({ geometry, stripe: 0, present })
        assert.deepEqual(openChunks(key, 7, stored, true), plaintext)
        for (const lost of [a, b]) {
          assert.deepEqual(rebuildStrip({ geometry, stripe: 0, present }, lost), strips[lost])
        }
      }
    }
  })

  test('stripes of one object make the pieces that hashing the whole pieces makes', () => {
    const plain = dataOf('long', 2 * stripePlainBytesOf(4, true) + 12_345)
    const each = stripePlainBytesOf(4, true)
    const stripes = [0, 1, 2].map((i) =>
      encodeStripe({
        ...policy,
        plaintext: plain.subarray(i * each, (i + 1) * each),
        contentKey: key,
        firstChunk: i * 64,
        endsObject: i === 2,
      }),
    )
    const digests = combineUnits(stripes)
    assert.equal(digests.length, 6)
    for (const [index, digest] of digests.entries()) {
      const piece = Buffer.concat(stripes.map((stripe) => stripe.strips[index]!))
      assert.equal(digest.sizeBytes, piece.length)
      assert.deepEqual(digest.root, rootFromPiece(piece))
      assert.deepEqual(digest.units, hashUnits(piece))
    }
    const stored = stripes.reduce((sum, stripe) => sum + stripe.storedBytes, 0)
    assert.equal(partGeometry(stored, 4, 2).pieceBytes, digests[0]!.sizeBytes)
  })

  test('dirty memory that is used again gives the same stripe', () => {
    const buffer = new Uint8Array(stripeBufferBytesOf(policy)).fill(0xaa)
    const input = {
      ...policy,
      plaintext: dataOf('dirty', 1_001),
      contentKey: undefined,
      firstChunk: 0,
      endsObject: true,
    }
    const fresh = encodeStripe(input)
    const again = encodeStripe({ ...input, buffer })
    assert.deepEqual(again.strips, fresh.strips)
    assert.deepEqual(again.units, fresh.units)
    assert.equal(again.strips[0]!.buffer, buffer.buffer)
  })

  test('one byte in clear makes strips of 64 bytes, filled with zeros', () => {
    const { strips, storedBytes, stripBytes } = encodeStripe({
      ...policy,
      plaintext: Uint8Array.of(9),
      contentKey: undefined,
      firstChunk: 0,
      endsObject: true,
    })
    assert.equal(storedBytes, 1)
    assert.equal(stripBytes, 64)
    assert.deepEqual(strips[0], Uint8Array.of(9, ...new Uint8Array(63)))
    assert.deepEqual(strips[1], new Uint8Array(64))
  })

  test('a sealed empty object is one stripe of one tag', () => {
    const stripe = encodeStripe({
      ...policy,
      plaintext: new Uint8Array(0),
      contentKey: key,
      firstChunk: 0,
      endsObject: true,
    })
    assert.equal(stripe.storedBytes, 16)
  })

  test('what no stripe can be is refused: nothing, too much, a short chunk in the middle', () => {
    const input = { ...policy, contentKey: undefined, firstChunk: 0, endsObject: true }
    assert.throws(() => encodeStripe({ ...input, plaintext: new Uint8Array(0) }), { name: 'AssertionError' })
    const tooMuch = new Uint8Array(stripeStoredBytesOf(4) + 1)
    assert.throws(() => encodeStripe({ ...input, plaintext: tooMuch }), { name: 'AssertionError' })
    const short = { ...input, contentKey: key, endsObject: false, plaintext: new Uint8Array(65_519) }
    assert.throws(() => encodeStripe(short), { name: 'AssertionError' })
    const noCode = { ...input, plaintext: Uint8Array.of(1), dataShards: 255, parityShards: 2 }
    assert.throws(() => encodeStripe(noCode), { name: 'InvalidErasurePolicyError' })
  })

  test('fewer than k strips give nothing', () => {
    const { strips, storedBytes } = encodeStripe({
      ...policy,
      plaintext: dataOf('few', 999),
      contentKey: undefined,
      firstChunk: 0,
      endsObject: true,
    })
    const present = new Map([...strips.entries()].slice(0, 3))
    const geometry = partGeometry(storedBytes, 4, 2)
    assert.throws(() => decodeStripe({ geometry, stripe: 0, present }), TooFewShardsError)
    assert.throws(() => rebuildStrip({ geometry, stripe: 0, present }, 5), TooFewShardsError)
  })
})
