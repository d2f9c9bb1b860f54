import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { compressPublicKey } from '@memo/core'
import fc from 'fast-check'
import { primitives as browser } from '../src/primitives/browser.ts'
import { primitives as node } from '../src/primitives/node.ts'
import { dataOf } from './support/data.ts'
import { testSecret } from './support/keys.ts'

const key = dataOf('aes', 32)
const iv = dataOf('iv', 12)
const aad = dataOf('aad', 5)

function sealed(by: typeof node, plaintext: Uint8Array, nonce = iv): Uint8Array {
  const out = new Uint8Array(plaintext.length + 16)
  by.gcmSeal(key, nonce, plaintext, aad, out)
  return out
}

describe('the primitives of Node and of browsers are the same', () => {
  test('SHA-256, at once and in pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (a, b) => {
        assert.deepEqual(node.sha256(a), browser.sha256(a))
        for (const by of [node, browser]) {
          const out = new Uint8Array(40).fill(9)
          by.sha256Into(a, out, 5)
          assert.deepEqual(out.subarray(5, 37), browser.sha256(a))
          assert.deepEqual([out[4], out[37]], [9, 9])
        }
        const [one, two] = [node.createSha256(), browser.createSha256()]
        for (const hasher of [one, two]) {
          hasher.update(a)
          hasher.update(b)
        }
        const digest = one.digest()
        assert.deepEqual(digest, two.digest())
        assert.deepEqual(digest, node.sha256(new Uint8Array([...a, ...b])))
      }),
    )
  })

  test('AES-256-GCM, sealed by one and opened by the other', () => {
    for (const length of [0, 1, 15, 16, 17, 65_520]) {
      const plaintext = dataOf('plain', length)
      for (const nonce of [iv, dataOf('long nonce', 16)]) {
        const box = sealed(node, plaintext, nonce)
        assert.deepEqual(sealed(browser, plaintext, nonce), box)
        for (const by of [node, browser]) {
          const out = new Uint8Array(length)
          assert.equal(by.gcmOpen(key, nonce, box, aad, out), true)
          assert.deepEqual(out, plaintext)
        }
      }
    }
  })

  test('neither opens, nor gives out, what was altered', () => {
    const box = sealed(node, dataOf('plain', 40))
    for (const by of [node, browser]) {
      for (let at = 0; at < box.length; at++) {
        const altered = box.slice()
        altered[at]! ^= 1
        const out = new Uint8Array(40)
        assert.equal(by.gcmOpen(key, iv, altered, aad, out), false)
        assert.deepEqual(out, new Uint8Array(40), 'no unchecked plaintext')
      }
      for (let end = 0; end < 17; end++) {
        const out = new Uint8Array(Math.max(0, end - 16))
        assert.equal(by.gcmOpen(key, iv, box.subarray(0, end), aad, out), false, `${end} bytes`)
      }
    }
  })

  test('signatures and the keys that made them', () => {
    for (let n = 1; n <= 25; n++) {
      const digest = dataOf(`digest ${n}`, 32)
      const signature = node.secp256k1Sign(digest, testSecret(n))
      assert.deepEqual(browser.secp256k1Sign(digest, testSecret(n)), signature)
      const publicKey = node.secp256k1Recover(digest, signature)
      assert.equal(publicKey?.length, 65)
      assert.deepEqual(browser.secp256k1Recover(digest, signature), publicKey)
    }
  })

  test('public keys, and the point that two key pairs share', () => {
    for (let n = 1; n <= 10; n++) {
      const [mine, theirs] = [testSecret(n), testSecret(n + 1)]
      const publicKey = node.secp256k1PublicKey(theirs)!
      assert.deepEqual(browser.secp256k1PublicKey(theirs), publicKey)
      const short = compressPublicKey(publicKey)
      for (const form of [publicKey, short]) {
        const shared = node.secp256k1SharedPoint(mine, form)
        assert.equal(shared?.length, 65)
        assert.deepEqual(browser.secp256k1SharedPoint(mine, form), shared)
        assert.deepEqual(node.secp256k1SharedPoint(theirs, node.secp256k1PublicKey(mine)!), shared)
        for (const by of [node, browser]) assert.equal(by.secp256k1IsPublicKey(form), true)
      }
    }
  })

  test('what is no key shares nothing in both', () => {
    const secret = testSecret(1)
    const publicKey = node.secp256k1PublicKey(secret)!
    const offCurve = publicKey.slice()
    offCurve[64]! ^= 1
    const noPoints = [
      new Uint8Array(0),
      new Uint8Array(1),
      new Uint8Array(33),
      new Uint8Array(65),
      publicKey.subarray(1),
      publicKey.with(0, 6),
      publicKey.with(0, 7),
      compressPublicKey(publicKey).with(0, 4),
      new Uint8Array(33).fill(0xff).with(0, 2),
      offCurve,
    ]
    const order = Uint8Array.from(
      Buffer.from('fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141', 'hex'),
    )
    const noScalars = [
      new Uint8Array(32),
      new Uint8Array(32).fill(0xff),
      order,
      secret.subarray(1),
      new Uint8Array(33).fill(1),
    ]
    for (const by of [node, browser]) {
      for (const point of noPoints) {
        assert.equal(by.secp256k1IsPublicKey(point), false, Buffer.from(point).toString('hex'))
        assert.equal(by.secp256k1SharedPoint(secret, point), undefined)
      }
      for (const scalar of noScalars) {
        assert.equal(by.secp256k1PublicKey(scalar), undefined)
        assert.equal(by.secp256k1SharedPoint(scalar, publicKey), undefined)
      }
    }
  })

  test('what is no signature recovers nothing in both', () => {
    const digest = dataOf('digest', 32)
    const signature = node.secp256k1Sign(digest, testSecret(1))
    const bad = [
      new Uint8Array(65),
      new Uint8Array(65).fill(0xff),
      signature.subarray(0, 64),
      signature.with(64, 2),
      signature.slice().fill(0, 0, 32),
      signature.slice().fill(0, 32, 64),
    ]
    for (const by of [node, browser]) {
      for (const one of bad) assert.equal(by.secp256k1Recover(digest, one), undefined)
    }
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 65, maxLength: 65 }), fc.boolean(), (random, odd) => {
        const candidate = random.with(64, odd ? 1 : 0)
        assert.deepEqual(node.secp256k1Recover(digest, candidate), browser.secp256k1Recover(digest, candidate))
      }),
      { numRuns: 40 },
    )
  })

  test('what they give is plain bytes, whose slice is a copy', () => {
    const streamed = node.createSha256()
    for (const digest of [node.sha256(key), streamed.digest()]) {
      assert.equal(digest.constructor, Uint8Array)
      const copy = digest.slice()
      copy[0]! ^= 1
      assert.notEqual(copy[0], digest[0])
    }
  })
})
