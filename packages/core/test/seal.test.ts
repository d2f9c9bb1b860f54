import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import {
  BadInputError,
  CHUNK_BYTES,
  openBox,
  openChunks,
  SEALED_CHUNK_BYTES,
  SealBrokenError,
  sealBox,
  sealChunks,
  sealedBytesOf,
} from '@memo/core'
import fc from 'fast-check'
import { dataOf } from './support/data.ts'
import { readVectors } from './support/vectors.ts'

type Vectors = {
  streams: {
    keyLabel: string
    label: string
    length: number
    firstChunk: number
    endsObject: boolean
    sealedBytes: number
    sealedSha256: string
    sealed?: string
  }[]
}
const key = dataOf('seal key', 32)
const LONG = 3 * CHUNK_BYTES + 1_000

function seal(plaintext: Uint8Array, firstChunk = 0, endsObject = true, with_ = key): Uint8Array {
  const out = new Uint8Array(sealedBytesOf(plaintext.length))
  sealChunks(with_, firstChunk, plaintext, endsObject, out)
  return out
}

describe('a sealed stream', () => {
  test('is byte for byte that of another implementation', () => {
    for (const vector of readVectors<Vectors>('seal').streams) {
      const sealed = seal(dataOf(vector.label, vector.length), vector.firstChunk, vector.endsObject)
      assert.equal(sealed.length, vector.sealedBytes)
      assert.equal(createHash('sha256').update(sealed).digest('hex'), vector.sealedSha256)
      if (vector.sealed) assert.equal(Buffer.from(sealed).toString('hex'), vector.sealed)
    }
  })

  test('opens to its plaintext at every length around a chunk’s boundary', () => {
    for (const length of [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, LONG]) {
      const plaintext = dataOf('boundary', length)
      const sealed = seal(plaintext)
      assert.equal(sealed.length, length + 16 * Math.max(1, Math.ceil(length / CHUNK_BYTES)))
      assert.deepEqual(openChunks(key, 0, sealed, true), plaintext)
    }
  })

  test('can be sealed and opened in any stretches of whole chunks', () => {
    const plaintext = dataOf('stretch', LONG)
    const whole = seal(plaintext)
    const first = seal(plaintext.subarray(0, 2 * CHUNK_BYTES), 0, false)
    const second = seal(plaintext.subarray(2 * CHUNK_BYTES), 2, true)
    assert.deepEqual(Buffer.concat([first, second]), Buffer.from(whole))
    const middle = whole.subarray(SEALED_CHUNK_BYTES, 2 * SEALED_CHUNK_BYTES)
    assert.deepEqual(openChunks(key, 1, middle, false), plaintext.subarray(CHUNK_BYTES, 2 * CHUNK_BYTES))
  })

  test('cut off anywhere does not open: in a chunk, at a boundary, at the start', () => {
    const sealed = seal(dataOf('cut', LONG))
    const cuts = [
      0,
      1,
      15,
      16,
      17,
      SEALED_CHUNK_BYTES - 1,
      SEALED_CHUNK_BYTES,
      3 * SEALED_CHUNK_BYTES,
      sealed.length - 1,
    ]
    for (const end of cuts) {
      assert.throws(() => openChunks(key, 0, sealed.subarray(0, end), true), SealBrokenError, `cut at ${end}`)
    }
  })

  test('whose end is not said to be the end does not open, nor the reverse', () => {
    const sealed = seal(dataOf('final', 2 * CHUNK_BYTES))
    assert.throws(() => openChunks(key, 0, sealed, false), SealBrokenError)
    const middle = seal(dataOf('final', 2 * CHUNK_BYTES), 0, false)
    assert.throws(() => openChunks(key, 0, middle, true), SealBrokenError)
  })

  test('with chunks swapped, repeated, left out or appended does not open', () => {
    const sealed = seal(dataOf('order', LONG))
    const chunk = (i: number) => sealed.subarray(i * SEALED_CHUNK_BYTES, (i + 1) * SEALED_CHUNK_BYTES)
    for (const order of [
      [1, 0, 2, 3],
      [0, 0, 1, 2, 3],
      [0, 2, 3],
      [0, 1, 2, 3, 3],
      [1, 2, 3],
    ]) {
      const moved = Buffer.concat(order.map(chunk))
      assert.throws(() => openChunks(key, 0, moved, true), SealBrokenError, order.join())
    }
  })

  test('with one bit flipped anywhere does not open', () => {
    const sealed = seal(dataOf('flip', CHUNK_BYTES + 100))
    fc.assert(
      fc.property(fc.nat(sealed.length * 8 - 1), (bit) => {
        const altered = sealed.slice()
        altered[bit >> 3]! ^= 1 << (bit & 7)
        assert.throws(() => openChunks(key, 0, altered, true), SealBrokenError)
      }),
      { numRuns: 100 },
    )
  })

  test('of another key or another place does not open', () => {
    const sealed = seal(dataOf('key', 100))
    assert.throws(() => openChunks(dataOf('other key', 32), 0, sealed, true), SealBrokenError)
    assert.throws(() => openChunks(key, 1, sealed, true), SealBrokenError)
  })

  test('says which chunk is broken', () => {
    const sealed = seal(dataOf('which', LONG), 40)
    sealed[2 * SEALED_CHUNK_BYTES + 5]! ^= 1
    assert.throws(() => openChunks(key, 40, sealed, true), { details: { chunk: 42 } })
  })

  test('with a short chunk in the middle is never made', () => {
    assert.throws(() => seal(dataOf('short', CHUNK_BYTES + 1), 0, false), { name: 'AssertionError' })
  })
})

describe('a sealed box', () => {
  const box = sealBox(key, dataOf('nonce', 12), dataOf('message', 77), 'context')

  test('opens with its key and context', () => {
    assert.deepEqual(openBox(key, box, 'context'), dataOf('message', 77))
    assert.equal(box.length, 12 + 77 + 16)
  })
  test('does not open with another key, another context, cut off or altered', () => {
    assert.throws(() => openBox(dataOf('x', 32), box, 'context'), BadInputError)
    assert.throws(() => openBox(key, box, 'other'), BadInputError)
    for (let end = 0; end < box.length; end++) {
      assert.throws(() => openBox(key, box.subarray(0, end), 'context'), BadInputError, `${end} bytes`)
    }
    for (let at = 0; at < box.length; at++) {
      const altered = box.slice()
      altered[at]! ^= 0x80
      assert.throws(() => openBox(key, altered, 'context'), BadInputError, `byte ${at}`)
    }
  })

  test('opens in its own memory as in other, and what was altered does not open there either', () => {
    for (const length of [0, 1, 65_519, 65_520, 65_521, 300_000]) {
      const plaintext = dataOf('in place', length)
      const sealed = new Uint8Array(sealedBytesOf(length))
      sealChunks(key, 3, plaintext, true, sealed)
      const altered = sealed.with(sealed.length - 1, sealed.at(-1)! ^ 1)
      assert.throws(() => openChunks(key, 3, altered, true, altered), SealBrokenError)
      const opened = openChunks(key, 3, sealed, true, sealed)
      assert.equal(opened.buffer, sealed.buffer)
      assert.deepEqual(opened, plaintext)
    }
  })
})
