import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatErasurePolicy, InvalidErasurePolicyError, parseErasurePolicy } from '../src/erasure/index.ts'

function assertRefused(text: string) {
  assert.throws(
    () => parseErasurePolicy(text),
    (error: unknown) => error instanceof InvalidErasurePolicyError && error.blame === 'user' && error.retry === 'never',
    `"${text.slice(0, 40)}" was accepted`,
  )
}

describe('an erasure policy', () => {
  test('names its data and parity shards', () => {
    assert.deepEqual(parseErasurePolicy('rs:4+2'), { dataShards: 4, parityShards: 2 })
    assert.deepEqual(parseErasurePolicy('rs:1+1'), { dataShards: 1, parityShards: 1 })
    assert.deepEqual(parseErasurePolicy('rs:100+28'), { dataShards: 100, parityShards: 28 })
    assert.deepEqual(parseErasurePolicy('rs:255+1'), { dataShards: 255, parityShards: 1 })
    assert.deepEqual(parseErasurePolicy('rs:1+255'), { dataShards: 1, parityShards: 255 })
  })

  test('is written as it is read', () => {
    const policies = fc
      .integer({ min: 1, max: 255 })
      .chain((dataShards) =>
        fc.record({ dataShards: fc.constant(dataShards), parityShards: fc.integer({ min: 1, max: 256 - dataShards }) }),
      )
    fc.assert(
      fc.property(policies, (policy) => {
        assert.deepEqual(parseErasurePolicy(formatErasurePolicy(policy)), { ...policy })
      }),
    )
  })

  test('of another form is refused', () => {
    for (const text of [
      '',
      'rs',
      'rs:',
      'rs:4',
      'rs:4+',
      'rs:+2',
      '4+2',
      'RS:4+2',
      ' rs:4+2',
      'rs:4+2 ',
      'rs:4+2\n',
      'rs: 4+2',
      'rs:4 + 2',
      'rs:04+2',
      'rs:4+02',
      'rs:+4+2',
      'rs:-4+2',
      'rs:4.0+2',
      'rs:4e0+2',
      'rs:0x4+2',
      'rs:٤+٢',
      'rs:4+2+1',
      'rs:4-2',
      'replica:3',
    ]) {
      assertRefused(text)
    }
    fc.assert(
      fc.property(
        fc.string().filter((text) => !/^rs:[1-9]\d{0,2}\+[1-9]\d{0,2}$/.test(text)),
        assertRefused,
      ),
    )
  })

  test('outside the limits is refused, in text and in numbers', () => {
    for (const text of [
      'rs:0+1',
      'rs:1+0',
      'rs:255+2',
      'rs:256+1',
      'rs:999+999',
      'rs:1000+1',
      `rs:${'9'.repeat(400)}+1`,
    ]) {
      assertRefused(text)
    }
    assert.throws(() => formatErasurePolicy({ dataShards: 200, parityShards: 57 }), InvalidErasurePolicyError)
  })

  test('that is refused is quoted briefly', () => {
    assert.throws(
      () => parseErasurePolicy('x'.repeat(1_000_000)),
      (error: Error) => error.message.length < 100,
    )
  })
})
