import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { MAX_CACHED_PATTERNS } from '../src/erasure/coder.ts'
import {
  type Coder,
  createCoder,
  type ErasureVariant,
  InvalidErasurePolicyError,
  isErasureVariantSupported,
  MAX_ALLOCATED_BYTES,
  ShardIndexError,
  StripAllocationError,
  StripCountError,
  StripLengthError,
  StripOverlapError,
  TooFewShardsError,
} from '../src/erasure/index.ts'

type Vector = {
  readonly dataShards: number
  readonly parityShards: number
  readonly stripBytes: number
  readonly paritySha256: string
  readonly parity?: readonly string[]
}

const VECTORS_URL = new URL('../../../spec/vectors/erasure.json', import.meta.url)
const { vectors } = JSON.parse(await readFile(VECTORS_URL, 'utf8')) as { vectors: readonly Vector[] }

// Node 20 has no relaxed SIMD; there the other two are held to the same claims.
const VARIANTS = (['relaxed', 'strict', 'scalar'] as const).filter(isErasureVariantSupported)

/** The data of the vector file: xorshift32, one seed per strip. */
function dataStrips(count: number, stripBytes: number): Uint8Array[] {
  return Array.from({ length: count }, (_, strip) => {
    let state = Math.imul(strip + 1, 2_654_435_769) >>> 0
    return Uint8Array.from({ length: stripBytes }, () => {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      return state >>> 24
    })
  })
}

function blankStrips(count: number, stripBytes: number): Uint8Array[] {
  // Not zero: a coder that adds to its output instead of overwriting it must fail.
  return Array.from({ length: count }, () => new Uint8Array(stripBytes).fill(0xa5))
}

function stripe(coder: Coder, stripBytes: number): Uint8Array[] {
  const data = dataStrips(coder.dataShards, stripBytes)
  const parity = blankStrips(coder.parityShards, stripBytes)
  coder.encode(data, parity)
  return [...data, ...parity]
}

function sha256(strips: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const strip of strips) hash.update(strip)
  return hash.digest('hex')
}

/** Rebuilds `wanted` from `present` and holds every byte to the whole stripe. */
function assertRebuilds(coder: Coder, shards: readonly Uint8Array[], present: readonly number[], wanted: number[]) {
  const out = blankStrips(wanted.length, shards[0]!.length)
  coder.reconstruct({ present: new Map(present.map((index) => [index, shards[index]!])), wanted, out })
  for (const [position, index] of wanted.entries()) {
    assert.ok(Buffer.compare(out[position]!, shards[index]!) === 0, `shard ${index} from ${present.join()}`)
  }
}

for (const variant of VARIANTS) {
  describe(`the ${variant} coder`, () => {
    test('makes the parity that two independent implementations made', () => {
      assert.ok(vectors.length > 30)
      for (const { dataShards, parityShards, stripBytes, paritySha256, parity } of vectors) {
        const coder = createCoder({ dataShards, parityShards, variant })
        const made = stripe(coder, stripBytes).slice(dataShards)
        const name = `${dataShards}+${parityShards}, ${stripBytes} bytes`
        if (parity !== undefined)
          assert.deepEqual(
            made.map((strip) => Buffer.from(strip).toString('hex')),
            parity,
            name,
          )
        assert.equal(sha256(made), paritySha256, name)
      }
    })

    test('starts the matrix of 4+2 with 47 a7 7a ba', () => {
      const data = [0, 1, 2, 3].map((strip) => Uint8Array.from([0, 1, 2, 3], (byte) => (byte === strip ? 1 : 0)))
      const parity = blankStrips(2, 4)
      createCoder({ dataShards: 4, parityShards: 2, variant }).encode(data, parity)
      assert.deepEqual([...parity[0]!], [0x47, 0xa7, 0x7a, 0xba])
      assert.deepEqual([...parity[1]!], [0xa7, 0x47, 0xba, 0x7a])
    })

    test('codes every length alike, around every step and tile of the kernels', () => {
      const coder = createCoder({ dataShards: 3, parityShards: 2, variant })
      const longest = stripe(coder, 33_000)
      const lengths = [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 4_095, 4_096, 4_097, 16_383, 16_384, 16_385, 32_799]
      for (const length of lengths) {
        const shards = longest.map((strip) => strip.slice(0, length))
        const parity = blankStrips(2, length)
        coder.encode(shards.slice(0, 3), parity)
        assert.deepEqual(parity, shards.slice(3), `${length} bytes`)
        assertRebuilds(coder, shards, [1, 3, 4], [0, 2])
        assert.ok(coder.verify(shards))
      }
    })

    test('writes nothing beside its outputs', () => {
      const coder = createCoder({ dataShards: 2, parityShards: 1, variant })
      for (const [offset, length] of [
        [1, 37],
        [3, 64],
        [5, 16_390],
      ] as const) {
        const around = new Uint8Array(offset + length + 70).fill(0xee)
        coder.encode(dataStrips(2, length), [around.subarray(offset, offset + length)])
        assert.ok(around.subarray(0, offset).every((byte) => byte === 0xee))
        assert.ok(around.subarray(offset + length).every((byte) => byte === 0xee))
      }
    })

    test('rebuilds every loss of 4+2 from every four shards', () => {
      const coder = createCoder({ dataShards: 4, parityShards: 2, variant })
      const shards = stripe(coder, 100)
      for (let mask = 0; mask < 64; mask++) {
        const present = [0, 1, 2, 3, 4, 5].filter((index) => (mask >> index) & 1)
        const lost = [0, 1, 2, 3, 4, 5].filter((index) => !present.includes(index))
        if (present.length >= 4) assertRebuilds(coder, shards, present, lost)
      }
    })

    test('sees any single changed byte', () => {
      const coder = createCoder({ dataShards: 3, parityShards: 2, variant })
      const shards = stripe(coder, 16_400)
      for (const index of shards.keys()) {
        for (const at of [0, 16_383, 16_384, 16_399]) {
          shards[index]![at]! ^= 1
          assert.equal(coder.verify(shards), false, `shard ${index}, byte ${at}`)
          shards[index]![at]! ^= 1
        }
      }
      assert.equal(coder.verify(shards), true)
    })

    test('codes allocated strips as it codes others, whole, in part and mixed with others', () => {
      const coder = createCoder({ dataShards: 10, parityShards: 8, variant })
      const expected = stripe(coder, 40_011)
      const strips = coder.allocate(40_011)
      assert.equal(strips.length, 18)
      for (let index = 0; index < 10; index++) strips[index]!.set(expected[index]!)
      coder.encode(strips.slice(0, 10), strips.slice(10))
      assert.equal(sha256(strips), sha256(expected))
      assert.ok(coder.verify(strips))

      const part = strips.map((strip) => strip.subarray(7, 30_007))
      for (const strip of part.slice(10)) strip.fill(0)
      coder.encode(part.slice(0, 10), part.slice(10))
      assert.equal(sha256(strips), sha256(expected))

      const elsewhere = blankStrips(8, 40_011)
      coder.encode(strips.slice(0, 10), elsewhere)
      assert.equal(sha256(elsewhere), sha256(expected.slice(10)))

      for (const index of [0, 4, 9, 12]) strips[index]!.fill(0)
      const present = new Map([1, 2, 3, 5, 6, 7, 8, 10, 11, 17].map((index) => [index, strips[index]!]))
      const wanted = [9, 0, 12, 4]
      coder.reconstruct({ present, wanted, out: wanted.map((index) => strips[index]!) })
      assert.equal(sha256(strips), sha256(expected))
    })

    test('keeps two allocations apart', () => {
      const coder = createCoder({ dataShards: 2, parityShards: 1, variant })
      const [first, second] = [coder.allocate(64), coder.allocate(64)]
      first[0]!.fill(1)
      second[0]!.fill(2)
      coder.encode(first.slice(0, 2), [second[2]!])
      const expected = blankStrips(1, 64)
      coder.encode([new Uint8Array(64).fill(1), new Uint8Array(64)], expected)
      assert.deepEqual(Buffer.from(second[2]!), Buffer.from(expected[0]!))
    })
  })
}

describe('any k of k + m shards', () => {
  const codes = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        dataShards: fc.integer({ min: 1, max: 20 }),
        parityShards: fc.integer({ min: 1, max: 14 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom({ dataShards: 100, parityShards: 28 }, { dataShards: 3, parityShards: 253 }),
    },
  )

  test('give back every other shard, in every variant, for random codes and losses', () => {
    const cases = codes.chain((code) => {
      const all = Array.from({ length: code.dataShards + code.parityShards }, (_, index) => index)
      return fc.record({
        code: fc.constant(code),
        present: fc.shuffledSubarray(all, { minLength: code.dataShards }),
        stripBytes: fc.integer({ min: 0, max: 200 }),
      })
    })
    fc.assert(
      fc.property(cases, ({ code, present, stripBytes }) => {
        const shards = stripe(createCoder(code), stripBytes)
        const lost = [...shards.keys()].filter((index) => !present.includes(index))
        for (const variant of VARIANTS) {
          const coder = createCoder({ ...code, variant })
          assert.ok(coder.verify(shards))
          assertRebuilds(coder, shards, present, lost)
        }
      }),
      { numRuns: 150 },
    )
  })

  test('give back all shards at once, present ones included', () => {
    const coder = createCoder({ dataShards: 5, parityShards: 5 })
    assertRebuilds(coder, stripe(coder, 77), [9, 1, 6, 7, 3, 8], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('are read in the order of their indexes, whatever the order of the map', () => {
    const coder = createCoder({ dataShards: 3, parityShards: 3 })
    assertRebuilds(coder, stripe(coder, 10), [5, 0, 4], [3, 2, 1])
  })

  test('still give back the rest after more patterns of loss than are kept', () => {
    const coder = createCoder({ dataShards: 8, parityShards: 4 })
    const shards = stripe(coder, 40)
    let patterns = 0
    for (let a = 0; a < 12; a++) {
      for (let b = a + 1; b < 12; b++) {
        for (let c = b + 1; c < 12; c++) {
          assertRebuilds(
            coder,
            shards,
            [...shards.keys()].filter((index) => ![a, b, c].includes(index)),
            [a, b, c],
          )
          patterns++
        }
      }
    }
    assert.ok(patterns > 2 * MAX_CACHED_PATTERNS)
    assertRebuilds(coder, shards, [3, 4, 5, 6, 7, 8, 9, 10, 11], [0, 1, 2])
  })
})

describe('a wrong input', () => {
  const coder = createCoder({ dataShards: 4, parityShards: 2 })
  const shards = stripe(coder, 64)
  const data = shards.slice(0, 4)
  const present = (...indexes: readonly number[]) =>
    new Map(indexes.map((index) => [index, shards[index] ?? shards[0]!]))

  /** The call fails as `expected` says and leaves the strips as they were. */
  function assertRefused(call: () => unknown, name: new (...args: never[]) => Error, blame = 'us') {
    const before = sha256(shards)
    assert.throws(call, (error: unknown) => error instanceof name && (error as { blame?: string }).blame === blame)
    assert.equal(sha256(shards), before)
  }

  test('of too few or too many strips is refused', () => {
    assertRefused(() => coder.encode(data.slice(1), blankStrips(2, 64)), StripCountError)
    assertRefused(() => coder.encode([], blankStrips(2, 64)), StripCountError)
    assertRefused(() => coder.encode(shards, blankStrips(2, 64)), StripCountError)
    assertRefused(() => coder.encode(data, blankStrips(1, 64)), StripCountError)
    assertRefused(() => coder.encode(data, blankStrips(3, 64)), StripCountError)
    assertRefused(() => coder.verify(data), StripCountError)
    assertRefused(() => coder.reconstruct({ present: present(0, 1, 2, 3), wanted: [4], out: [] }), StripCountError)
    const out = blankStrips(2, 64)
    assertRefused(() => coder.reconstruct({ present: present(0, 1, 2, 3), wanted: [4], out }), StripCountError)
  })

  test('of unequal lengths is refused', () => {
    const long = [...data.slice(0, 3), new Uint8Array(65)]
    assertRefused(() => coder.encode(long, blankStrips(2, 64)), StripLengthError)
    assertRefused(() => coder.encode(data, [new Uint8Array(64), new Uint8Array(63)]), StripLengthError)
    assertRefused(() => coder.encode(data, blankStrips(2, 0)), StripLengthError)
    assertRefused(() => coder.verify([...shards.slice(0, 5), new Uint8Array(63)]), StripLengthError)
    const short = new Map([...present(0, 1, 2), [4, new Uint8Array(63)]])
    assertRefused(() => coder.reconstruct({ present: short, wanted: [3], out: blankStrips(1, 64) }), StripLengthError)
    const known = present(0, 1, 2, 4)
    assertRefused(() => coder.reconstruct({ present: known, wanted: [3], out: blankStrips(1, 63) }), StripLengthError)
    const unused = new Map([...present(0, 1, 2, 3), [5, new Uint8Array(1)]])
    assertRefused(() => coder.reconstruct({ present: unused, wanted: [4], out: blankStrips(1, 64) }), StripLengthError)
  })

  test('of fewer shards than k is refused, and the provider is to blame', () => {
    const out = blankStrips(1, 64)
    assertRefused(
      () => coder.reconstruct({ present: present(0, 1, 5), wanted: [2], out }),
      TooFewShardsError,
      'provider',
    )
    assertRefused(() => coder.reconstruct({ present: new Map(), wanted: [2], out }), TooFewShardsError, 'provider')
    assertRefused(() => coder.reconstruct({ present: new Map(), wanted: [], out: [] }), TooFewShardsError, 'provider')
  })

  test('of an index that the code does not have, or has twice, is refused', () => {
    const known = present(0, 1, 2, 3)
    for (const index of [-1, 6, 1.5, Number.NaN, 256, Number.POSITIVE_INFINITY]) {
      const out = blankStrips(1, 64)
      assertRefused(() => coder.reconstruct({ present: known, wanted: [index], out }), ShardIndexError)
      assertRefused(() => coder.reconstruct({ present: present(0, 1, 2, index), wanted: [3], out }), ShardIndexError)
    }
    const out = blankStrips(2, 64)
    assertRefused(() => coder.reconstruct({ present: known, wanted: [5, 5], out }), ShardIndexError)
  })

  test('of outputs that share memory with another strip is refused', () => {
    const memory = new Uint8Array(200)
    assertRefused(() => coder.encode(data, [data[2]!, new Uint8Array(64)]), StripOverlapError)
    assertRefused(() => coder.encode(data, [memory.subarray(0, 64), memory.subarray(63, 127)]), StripOverlapError)
    const known = present(0, 1, 2, 3)
    assertRefused(() => coder.reconstruct({ present: known, wanted: [4], out: [shards[0]!] }), StripOverlapError)
    // Side by side in one buffer is no overlap: Node cuts its small buffers from one pool.
    coder.encode(data, [memory.subarray(0, 64), memory.subarray(64, 128)])
    assert.deepEqual(Buffer.from(memory.subarray(64, 128)), Buffer.from(shards[5]!))
  })

  test('of counts that no code has is refused, and the user is to blame', () => {
    for (const [dataShards, parityShards] of [
      [0, 1],
      [1, 0],
      [-4, 2],
      [4, -2],
      [200, 57],
      [256, 1],
      [1.5, 2],
      [4, Number.NaN],
      [Number.POSITIVE_INFINITY, 1],
      ['4', 2],
    ] as [number, number][]) {
      assertRefused(() => createCoder({ dataShards, parityShards }), InvalidErasurePolicyError, 'user')
    }
    assert.equal(createCoder({ dataShards: 255, parityShards: 1 }).totalShards, 256)
  })

  test('of a strip size that is none, or too large, is refused', () => {
    for (const size of [-1, 1.5, Number.NaN, Math.floor(MAX_ALLOCATED_BYTES / 6) + 1, Number.POSITIVE_INFINITY]) {
      assertRefused(() => coder.allocate(size), StripAllocationError)
    }
    assert.deepEqual(
      coder.allocate(0).map((strip) => strip.length),
      [0, 0, 0, 0, 0, 0],
    )
  })
})

describe('coders', () => {
  test('are cached by policy and variant', () => {
    const coder = createCoder({ dataShards: 6, parityShards: 3 })
    assert.equal(createCoder({ dataShards: 6, parityShards: 3 }), coder)
    assert.equal(createCoder({ dataShards: 6, parityShards: 3, variant: coder.variant }), coder)
    assert.notEqual(createCoder({ dataShards: 3, parityShards: 6 }), coder)
    const other: ErasureVariant = coder.variant === 'scalar' ? 'strict' : 'scalar'
    if (isErasureVariantSupported(other)) {
      assert.equal(createCoder({ dataShards: 6, parityShards: 3, variant: other }).variant, other)
    }
  })

  test('of one thread can be used by turns', () => {
    const codes = [
      createCoder({ dataShards: 4, parityShards: 2 }),
      createCoder({ dataShards: 10, parityShards: 7 }),
      createCoder({ dataShards: 2, parityShards: 1 }),
    ]
    const expected = codes.map((coder) => sha256(stripe(coder, 5_000)))
    for (let turn = 0; turn < 3; turn++) {
      assert.deepEqual(
        codes.map((coder) => sha256(stripe(coder, 5_000))),
        expected,
      )
    }
  })
})
