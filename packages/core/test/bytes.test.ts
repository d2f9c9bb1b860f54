import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  blocksFromStream,
  collectBytes,
  concatBytes,
  decodeCbor,
  encodeCbor,
  equalBytes,
  findAddress,
  findBytesFromHex,
  hex32,
  hexFromBytes,
  isCount,
  isTime,
  textFromUtf8,
  uint64be,
  uint64le,
  uvarint,
} from '@memo/core'
import fc from 'fast-check'

describe('bytes', () => {
  test('and hex are each other', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        assert.deepEqual(findBytesFromHex(hexFromBytes(bytes)), bytes)
        assert.deepEqual(findBytesFromHex(hexFromBytes(bytes).toUpperCase().replace('0X', '0x')), bytes)
        assert.equal(`0x${hex32(bytes)}`, hexFromBytes(bytes))
      }),
    )
  })

  test('count what is a whole number in its bounds, and nothing else', () => {
    for (const count of [0, 1, 2 ** 53 - 1]) assert.ok(isCount(count))
    for (const none of [-1, 1.5, 2 ** 53, Number.NaN, '1', 1n, null, undefined, [1]])
      assert.ok(!isCount(none), String(none))
    assert.deepEqual(
      [1, 2, 5, 6].map((n) => isCount(n, 2, 5)),
      [false, true, true, false],
    )
  })

  test('of an unsigned varint are as many as it needs', () => {
    for (const [value, bytes] of [
      [0, [0]],
      [127, [127]],
      [128, [0x80, 1]],
      [300, [0xac, 2]],
      [2 ** 32, [0x80, 0x80, 0x80, 0x80, 0x10]],
    ] as const) {
      assert.deepEqual(uvarint(value), Uint8Array.from(bytes))
    }
  })

  test('are not found in what is no hex, or of another length', () => {
    for (const none of ['', '12', '0X12', '0x1', '0xg0', '0x12 ', ' 0x12', '0x12\n', 5, null, undefined, ['0x12']]) {
      assert.equal(findBytesFromHex(none), undefined, String(none))
    }
    assert.equal(findBytesFromHex('0x1234', 1), undefined)
    assert.deepEqual(findBytesFromHex('0x', 0), new Uint8Array(0))
  })

  test('an address has one form', () => {
    const address = '0xe89971bfeEA7381d47fE608d676dfb5440F0fD2E'
    assert.equal(findAddress(address), address.toLowerCase())
    for (const none of [address.slice(1), `${address}0`, address.slice(0, -1), `${address}\n`, '', null, 5]) {
      assert.equal(findAddress(none), undefined)
    }
  })

  test('join, compare and count', () => {
    const one = Uint8Array.of(1, 2)
    assert.deepEqual(concatBytes(one, new Uint8Array(0), one), Uint8Array.of(1, 2, 1, 2))
    assert.ok(equalBytes(one, Uint8Array.of(1, 2)))
    assert.ok(!equalBytes(one, Uint8Array.of(1)))
    assert.ok(!equalBytes(one, Uint8Array.of(1, 3)))
    assert.deepEqual(uint64be(258), Uint8Array.of(0, 0, 0, 0, 0, 0, 1, 2))
    assert.deepEqual(uint64le(2n ** 64n - 2n), Uint8Array.of(254, 255, 255, 255, 255, 255, 255, 255))
    assert.throws(() => textFromUtf8(Uint8Array.of(0xc3, 0x28)), TypeError)
  })

  test('encoded are plain bytes of their own', () => {
    const bytes = encodeCbor({ a: new Uint8Array(3) })
    assert.equal(bytes.constructor, Uint8Array)
    assert.equal(bytes.byteLength, bytes.buffer.byteLength)
  })
})

describe('a record', () => {
  test('comes back from its bytes, whatever it is made of', () => {
    fc.assert(
      fc.property(fc.jsonValue({ depthSize: 'medium' }), (value) => {
        const plain = JSON.parse(JSON.stringify(value)) as unknown
        assert.deepEqual(decodeCbor(encodeCbor(plain)), plain)
      }),
    )
    const wide = [1.5, 2 ** 40, 'x'.repeat(70_000), new Uint8Array(300), [[], {}, null, true]]
    assert.deepEqual(decodeCbor(encodeCbor(wide)), wide)
  })

  test('that is small in bytes and huge in memory is refused before it is decoded', () => {
    // An array of a million empty maps, arrays, nulls: eighty megabytes once they are objects.
    for (const item of [0xa0, 0x80, 0xf6]) {
      const bytes = new Uint8Array(1_000_005).fill(item)
      bytes.set([0x9a, 0x00, 0x0f, 0x42, 0x40])
      assert.throws(() => decodeCbor(bytes), { name: 'RangeError', message: /more than 126024 items/ })
    }
    const nested = new Uint8Array(1_000_000).fill(0x81)
    assert.throws(() => decodeCbor(nested), { name: 'RangeError', message: /items/ })
  })

  test('with small items is read as long as they are few, and densely filled where each has bytes of its own', () => {
    assert.equal((decodeCbor(encodeCbor(Array.from({ length: 1_000 }, () => ({})))) as unknown[]).length, 1_000)
    const ids = Array.from({ length: 20_000 }, (_, i) => new Uint8Array(8).fill(i))
    assert.equal((decodeCbor(encodeCbor(ids)) as unknown[]).length, 20_000)
  })

  test('that is cut or malformed is refused, not read beyond its end', () => {
    const whole = encodeCbor({ a: [new Uint8Array(300), 'text', 2 ** 40], b: 1.5 })
    for (let length = 0; length < whole.length; length++) assert.throws(() => decodeCbor(whole.subarray(0, length)))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          decodeCbor(bytes)
        } catch (thrown) {
          assert.ok(thrown instanceof Error)
        }
      }),
    )
  })
})

test('a time has a date', () => {
  for (const time of [0, 1_770_000_000, 253_402_300_799]) {
    assert.ok(isTime(time))
    assert.match(new Date(time * 1_000).toISOString(), /^\d{4}-/)
  }
  for (const time of [-1, 1.5, 253_402_300_800, 2 ** 53 - 1, Number.NaN, '1', 1n]) assert.equal(isTime(time), false)
})

describe('a stream', () => {
  test('is re-cut into equal blocks, and the last one is known to be the last', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 8 }),
        fc.integer({ min: 1, max: 9 }),
        async (parts, size) => {
          const whole = concatBytes(...parts)
          const blocks: Uint8Array[] = []
          const lasts: boolean[] = []
          for await (const { block, last } of blocksFromStream(parts, size)) {
            blocks.push(block.slice())
            lasts.push(last)
          }
          assert.deepEqual(concatBytes(...blocks), whole)
          assert.ok(blocks.slice(0, -1).every((block) => block.length === size))
          assert.deepEqual(
            lasts,
            blocks.map((_, i) => i === blocks.length - 1),
          )
          assert.equal(blocks.length, Math.ceil(whole.length / size))
        },
      ),
    )
  })

  test('is collected up to a limit', async () => {
    assert.deepEqual(await collectBytes([Uint8Array.of(1), Uint8Array.of(2)], 2), Uint8Array.of(1, 2))
    await assert.rejects(collectBytes([Uint8Array.of(1), Uint8Array.of(2)], 1), RangeError)
    await assert.rejects(collectBytes(Uint8Array.of(1, 2), 1), RangeError)
  })
})
