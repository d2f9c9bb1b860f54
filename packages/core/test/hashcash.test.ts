import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { findHashcash, hashcashChallenge, hexFromBytes, isHashcash } from '@memo/core'
import fc from 'fast-check'

const terms = {
  chainId: 985,
  gateway: `0x${'11'.repeat(20)}`,
  purpose: 'apply',
  subject: `did:memo:${'ab'.repeat(32)}`,
  bucket: 2_833_333,
  series: 0,
} as const

describe('a stamp', () => {
  test('is found by counting, and holds for its challenge alone', () => {
    const challenge = hashcashChallenge(terms)
    const counter = findHashcash(challenge, 12, 0, 1e6)
    assert.ok(counter !== undefined && isHashcash(challenge, counter, 12))
    assert.equal(findHashcash(challenge, 12, 0, counter), undefined)
    assert.equal(findHashcash(challenge, 12, counter, 1), counter)
    const others = [
      { ...terms, chainId: 986 },
      { ...terms, gateway: `0x${'12'.repeat(20)}` as const },
      { ...terms, purpose: 'did' as const },
      { ...terms, subject: `did:memo:${'ac'.repeat(32)}` },
      { ...terms, bucket: terms.bucket + 1 },
      { ...terms, series: 1 },
    ]
    for (const other of others) assert.ok(!isHashcash(hashcashChallenge(other), counter, 12))
  })

  test('is counted in bits, each a factor of two', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.integer({ min: 0, max: 10 }),
        (challenge, bits) => {
          const counter = findHashcash(challenge, bits, 0, 1e5) ?? -1
          for (let fewer = 0; fewer <= bits; fewer++) assert.ok(isHashcash(challenge, counter, fewer))
          for (let earlier = Math.max(0, counter - 20); earlier < counter; earlier++) {
            assert.ok(!isHashcash(challenge, earlier, bits))
          }
        },
      ),
      { numRuns: 50 },
    )
  })

  test('has a whole counter from 0', () => {
    const challenge = hashcashChallenge(terms)
    for (const bad of [-1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])
      assert.ok(!isHashcash(challenge, bad, 0))
  })

  test('cannot be moved between subjects by what stands in them', () => {
    const a = hashcashChallenge({ ...terms, subject: 'x\n1' })
    const b = hashcashChallenge({ ...terms, subject: 'x', bucket: 1 })
    assert.notEqual(hexFromBytes(a), hexFromBytes(b))
  })
})
