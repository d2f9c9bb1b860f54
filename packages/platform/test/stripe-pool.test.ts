import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import {
  type EncodedStripe,
  encodeStripe,
  hashUnits,
  type StripeInput,
  sealChunks,
  sealedBytesOf,
  stripeBufferBytesOf,
  stripePlainBytesOf,
} from '@memo/core'
import { createStripePool, StripePoolBusyError, StripePoolClosedError, StripeThreadCrashedError } from '../src/index.ts'

const POLICY = { dataShards: 4, parityShards: 2 }
const PLAIN_BYTES = stripePlainBytesOf(4, true)
const KEY = new Uint8Array(32).fill(7)
const EXIT_BYTE = 0xe1
const THROW_BYTE = 0xe2
const CRASHING = new URL('./crashing-stripe-worker.ts', import.meta.url)

const pool = createStripePool({ threads: 2 })
after(async () => await pool.close())

function stripe(seed: number, length = PLAIN_BYTES): StripeInput {
  const plaintext = new Uint8Array(length)
  for (let i = 0; i < length; i++) plaintext[i] = seed + i * 7 + (i >>> 9)
  return { ...POLICY, plaintext, contentKey: KEY, firstChunk: seed * 64, endsObject: false }
}

function assertSame(actual: EncodedStripe, expected: EncodedStripe): void {
  assert.deepEqual([actual.stripBytes, actual.storedBytes], [expected.stripBytes, expected.storedBytes])
  for (const rows of ['strips', 'units'] as const) {
    assert.equal(actual[rows].length, expected[rows].length)
    for (const [index, row] of expected[rows].entries()) {
      assert.ok(Buffer.compare(actual[rows][index]!, row) === 0, `${rows} ${index}`)
    }
  }
}

describe('a stripe pool', () => {
  test('encodes as encodeStripe does, sealed and in clear, full and short', async () => {
    const inputs: StripeInput[] = [
      stripe(1),
      { ...stripe(2), contentKey: undefined },
      { ...stripe(3, 200_001), endsObject: true },
      { ...stripe(4, 0), endsObject: true },
      { ...stripe(5, 900), endsObject: true, dataShards: 10, parityShards: 5 },
      { ...stripe(6, 3_000_000), contentKey: undefined, dataShards: 3, parityShards: 3 },
    ]
    const expected = inputs.map((input) => encodeStripe({ ...input, plaintext: input.plaintext.slice() }))
    const actual = await Promise.all(inputs.map(async (input) => await pool.encode(input)))
    for (const [index, encoded] of actual.entries()) assertSame(encoded, expected[index]!)
  })

  test('moves memory there and back, so that the same buffers serve again and again', async () => {
    const expected = encodeStripe(stripe(9))
    let plaintext = stripe(9).plaintext
    let buffer = new Uint8Array(stripeBufferBytesOf(POLICY))
    for (let round = 0; round < 3; round++) {
      const input = { ...stripe(9, 0), plaintext, buffer }
      const encoded = await pool.encode(input)
      assertSame(encoded, expected)
      assert.deepEqual([input.plaintext.byteLength, input.buffer.byteLength], [0, 0], 'what was given is detached')
      assert.equal(encoded.plaintext.byteLength, PLAIN_BYTES)
      plaintext = encoded.plaintext
      buffer = new Uint8Array(encoded.strips[0]!.buffer as ArrayBuffer)
      assert.equal(buffer.byteLength, stripeBufferBytesOf(POLICY))
    }
  })

  test('a buffer that is a view into larger memory is used where it lies', async () => {
    const memory = new Uint8Array(stripeBufferBytesOf(POLICY) + 4_096)
    const encoded = await pool.encode({ ...stripe(3), buffer: memory.subarray(4_096) })
    assertSame(encoded, encodeStripe(stripe(3)))
    assert.equal(encoded.strips[0]!.byteOffset, 4_096)
  })

  test('the content key stays with the caller', async () => {
    const key = new Uint8Array(64).fill(7).subarray(16, 48)
    assertSame(await pool.encode({ ...stripe(1), contentKey: key }), encodeStripe(stripe(1)))
    assert.equal(key.byteLength, 32)
  })

  test('what encodeStripe refuses is refused with the same name, and the thread goes on', async () => {
    const bad = { ...stripe(1), dataShards: 0 }
    await assert.rejects(pool.encode(bad), { name: 'InvalidErasurePolicyError' })
    await assert.rejects(pool.encode({ ...stripe(1), buffer: new Uint8Array(1_000) }), { name: 'AssertionError' })
    assertSame(await pool.encode(stripe(1)), encodeStripe(stripe(1)))
  })

  test('hashes units as hashUnits does, and gives the data back', async () => {
    for (const length of [0, 10, 131_073, 1_048_576]) {
      const { plaintext: data } = stripe(5, length)
      const expected = hashUnits(data)
      const { units, data: back } = await pool.hashUnits(data)
      assert.deepEqual([Buffer.compare(units, expected), back.length], [0, length])
      assert.equal(Buffer.compare(back, stripe(5, length).plaintext), 0)
    }
  })

  test('opens what was sealed, and refuses what was altered by the name of its error', async () => {
    for (const length of [0, 100, 131_072, 1_000_000]) {
      const { plaintext } = stripe(6, length)
      const sealed = new Uint8Array(sealedBytesOf(length))
      sealChunks(KEY, 3, plaintext, true, sealed)
      const broken = sealed.slice()
      broken[length >> 1]! ^= 1
      const chunks = { contentKey: KEY, firstChunk: 3, endsObject: true }
      assert.equal(Buffer.compare(await pool.openChunks({ ...chunks, sealed }), plaintext), 0)
      await assert.rejects(pool.openChunks({ ...chunks, sealed: broken }), { name: 'SealBrokenError' })
    }
    assert.equal(KEY.byteLength, 32)
  })

  test('a thread that exits or throws costs its own stripe alone, and another thread takes over', async () => {
    const crashing = createStripePool({ threads: 1, script: CRASHING })
    try {
      for (const [byte, why] of [
        [EXIT_BYTE, /exit code 7/],
        [THROW_BYTE, /made this thread crash/],
      ] as const) {
        const doomed = stripe(1)
        doomed.plaintext[0] = byte
        const lost = assert.rejects(crashing.encode(doomed), (error: unknown) => {
          assert.ok(error instanceof StripeThreadCrashedError)
          assert.deepEqual([error.blame, error.retry], ['us', 'now'])
          assert.match(error.message, why)
          return true
        })
        const behind = crashing.encode(stripe(2))
        await lost
        assertSame(await behind, encodeStripe(stripe(2)))
      }
    } finally {
      await crashing.close()
    }
  })

  test('a thread that cannot start fails each stripe and does not start without end', async () => {
    const broken = createStripePool({ threads: 2, script: new URL('./there-is-no-such-worker.ts', import.meta.url) })
    const ends = await Promise.allSettled([1, 2, 3].map(async (seed) => await broken.encode(stripe(seed))))
    for (const end of ends) assert.ok(end.status === 'rejected' && end.reason instanceof StripeThreadCrashedError)
    await broken.close()
  })

  test('more stripes than may wait are refused', async () => {
    const small = createStripePool({ threads: 1, maxWaiting: 1 })
    const running = small.encode(stripe(1))
    const waiting = small.encode(stripe(2))
    await assert.rejects(small.encode(stripe(3)), (error: unknown) => {
      assert.ok(error instanceof StripePoolBusyError)
      assert.deepEqual([error.blame, error.retry], ['us', 'later'])
      return true
    })
    await Promise.all([running, waiting])
    await small.close()
  })

  test('an abort takes out a stripe that waits, with its memory untouched', async () => {
    const small = createStripePool({ threads: 1 })
    const running = small.encode(stripe(1))
    const control = new AbortController()
    const input = stripe(2)
    const waiting = small.encode(input, { signal: control.signal })
    control.abort(new DOMException('enough', 'AbortError'))
    await assert.rejects(waiting, { message: 'enough' })
    assert.equal(input.plaintext.byteLength, PLAIN_BYTES)
    await assert.rejects(small.encode(stripe(3), { signal: control.signal }), { message: 'enough' })
    assertSame(await running, encodeStripe(stripe(1)))
    await small.close()
  })

  test('closing ends what is under way well, refuses what waits and what comes later', async () => {
    const closing = createStripePool({ threads: 1 })
    const running = closing.encode(stripe(1))
    const waiting = closing.encode(stripe(2))
    const refused = assert.rejects(waiting, StripePoolClosedError)
    await closing.close()
    assertSame(await running, encodeStripe(stripe(1)))
    await refused
    await assert.rejects(closing.encode(stripe(3)), StripePoolClosedError)
    await assert.rejects(closing.encode({ ...stripe(3, 10), endsObject: true }), StripePoolClosedError)
    await closing.close()
  })
})
