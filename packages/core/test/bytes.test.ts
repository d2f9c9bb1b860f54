import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  blocksFromStream,
  collectBytes,
  concatBytes,
  encodeCbor,
  equalBytes,
  findAddress,
  findBytesFromHex,
  hex32,
  hexFromBytes,
  isCount,
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
