import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ecrecover } from '@ethereumjs/util'
import fc from 'fast-check'
import { sign } from 'tiny-secp256k1'
import { keccak256, sha256, toHex } from 'viem'
import { fastCrypto } from '../src/crypto.ts'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** The result of a function that may throw, so that two can be compared. */
function attempt(run: () => Uint8Array): string {
  try {
    return toHex(run())
  } catch {
    return 'none'
  }
}

describe('the fast primitives agree with the slow ones', () => {
  test('on hashes of any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (message) => {
        assert.equal(toHex(fastCrypto.keccak256!(message)), keccak256(message))
        assert.equal(toHex(fastCrypto.sha256!(message)), sha256(message))
      }),
    )
  })

  test('on the signer behind a signature, low and high', () => {
    fc.assert(
      fc.property(bytes(32), bytes(32), fc.constantFrom(27n, 28n), fc.boolean(), (message, seed, v, high) => {
        const key = new Uint8Array(seed).fill(1, 0, 1)
        const signature = sign(message, key)
        const low = BigInt(toHex(signature.subarray(32)))
        const s = high ? Buffer.from((ORDER - low).toString(16).padStart(64, '0'), 'hex') : signature.subarray(32)
        const r = signature.subarray(0, 32)
        assert.notEqual(
          attempt(() => fastCrypto.ecrecover!(message, v, r, s)),
          'none',
        )
        assert.equal(
          attempt(() => fastCrypto.ecrecover!(message, v, r, s)),
          attempt(() => ecrecover(message, v, r, s)),
        )
      }),
      { numRuns: 40 },
    )
  })

  test('on signatures that are none', () => {
    const zero = new Uint8Array(32)
    const over = new Uint8Array(32).fill(255)
    const one = new Uint8Array(32).fill(1)
    for (const [r, s] of [
      [zero, one],
      [one, zero],
      [over, one],
      [one, over],
      [zero, zero],
    ] as const) {
      assert.equal(
        attempt(() => fastCrypto.ecrecover!(one, 27n, r, s)),
        'none',
      )
    }
    for (const v of [0n, 1n, 26n, 29n, 2n ** 255n]) {
      const agreed = attempt(() => ecrecover(one, v, one, one))
      assert.equal(
        attempt(() => fastCrypto.ecrecover!(one, v, one, one)),
        agreed,
      )
    }
    fc.assert(
      fc.property(bytes(32), bytes(32), bytes(32), (message, r, s) => {
        assert.equal(
          attempt(() => fastCrypto.ecrecover!(message, 27n, r, s)),
          attempt(() => ecrecover(message, 27n, r, s)),
        )
      }),
      { numRuns: 40 },
    )
  })
})
