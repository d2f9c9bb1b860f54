import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  addressFromPublicKey,
  BadInputError,
  compressPublicKey,
  concatBytes,
  createKeySigner,
  findSignerAddress,
  findSignerKey,
  hexFromBytes,
  keccak256,
  loginDigest,
  unwrapKey,
  utf8,
  wrapKey,
} from '@memo/core'
import { createSeededRandomness } from '@memo/core/testing'
import { decrypt, encrypt } from 'eciesjs'
import fc from 'fast-check'
import { dataOf } from './support/data.ts'
import { bytes, testSecret, testSigner, V1_TEST_KEY, V2_TEST_KEY } from './support/keys.ts'

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const V1_DID = 'did:memo:d687daa192ffa26373395872191e8502cc41fbfbf27dc07d3da3a35de57c2d96'
const V1_ADDRESS = '0xe89971bfeea7381d47fe608d676dfb5440f0fd2e'

/** The other signature of the same message that the curve allows: s mirrored, v flipped. */
function malleableTwin(signature: Uint8Array): Uint8Array {
  const twin = signature.slice()
  const s = ORDER - BigInt(hexFromBytes(signature.subarray(32, 64)))
  twin.set(bytes(`0x${s.toString(16).padStart(64, '0')}`), 32)
  twin[64]! ^= 1
  return twin
}

describe('a key', () => {
  test('has the public key and the address that others published for it', () => {
    const one = createKeySigner(V1_TEST_KEY)
    assert.equal(hexFromBytes(one.publicKey), '0x03d21e6c4843fa3f5d019e551131106e2075925b01da2a83dc177879a512eb608f')
    assert.equal(one.address, V1_ADDRESS)
    const two = createKeySigner(V2_TEST_KEY)
    assert.equal(hexFromBytes(two.publicKey), '0x03ecc373891778bed36426ddcd682bf1e0b5a99a8d8534be05a000ddc4faaccea0')
    assert.equal(two.address, '0x47d4f617a654337afb121f455629ff7d92b670ea')
  })

  test('has one address in either form of its public key', async () => {
    const publicKey = bytes('0x02d78b20654eb7a5d58d83b25d090a338eff18f0b5f919777c9d894c2e161b4b52')
    assert.equal(addressFromPublicKey(publicKey), '0x7c0491ae63e3816f96b777340b1571fea7bb21de')
    for (let n = 1; n < 8; n++) {
      const signer = testSigner(n)
      const digest = dataOf('form', 32)
      const long = findSignerKey(digest, await signer.signDigest(digest))
      assert.equal(long?.length, 65)
      assert.equal(addressFromPublicKey(long), signer.address)
      assert.deepEqual(compressPublicKey(long), signer.publicKey)
    }
  })

  test('that is none is refused', () => {
    const order = bytes(`0x${ORDER.toString(16)}`)
    for (const secret of [new Uint8Array(32), order, new Uint8Array(31), new Uint8Array(33).fill(1)]) {
      assert.throws(() => createKeySigner(secret), BadInputError)
    }
    for (const key of [new Uint8Array(0), new Uint8Array(33), new Uint8Array(64).fill(2), new Uint8Array(65)]) {
      assert.throws(() => addressFromPublicKey(key), BadInputError)
    }
  })

  test('does not follow what its giver does to the bytes afterwards', async () => {
    const secret = testSecret(5)
    const signer = createKeySigner(secret)
    secret.fill(0xff)
    const digest = dataOf('digest', 32)
    assert.equal(findSignerAddress(digest, await signer.signDigest(digest)), signer.address)
  })
})

describe('a signature', () => {
  const digest = dataOf('digest', 32)

  test('names its signer, with v 27 and 28 or 0 and 1', async () => {
    for (let n = 1; n <= 20; n++) {
      const signer = testSigner(n)
      const signature = await signer.signDigest(digest)
      assert.equal(signature.length, 65)
      assert.ok(signature[64] === 27 || signature[64] === 28)
      assert.equal(findSignerAddress(digest, signature), signer.address)
      assert.deepEqual(compressPublicKey(findSignerKey(digest, signature)!), signer.publicKey)
      const low = signature.with(64, signature[64] - 27)
      assert.equal(findSignerAddress(digest, low), signer.address)
    }
  })

  test('is the same every time: nothing random goes into it', async () => {
    assert.deepEqual(await testSigner(3).signDigest(digest), await testSigner(3).signDigest(digest))
  })

  test('has no second form: a large s is refused', async () => {
    for (let n = 1; n <= 10; n++) {
      const signature = await testSigner(n).signDigest(digest)
      assert.ok(BigInt(hexFromBytes(signature.subarray(32, 64))) <= ORDER / 2n)
      assert.equal(findSignerKey(digest, malleableTwin(signature)), undefined)
    }
  })

  test('that is cut, long, empty, of zeros or with another v names nobody', async () => {
    const signature = await testSigner(1).signDigest(digest)
    const refused = [
      new Uint8Array(0),
      signature.subarray(0, 64),
      concatBytes(signature, Uint8Array.of(0)),
      new Uint8Array(65),
      new Uint8Array(65).fill(0xff),
      ...[2, 3, 26, 29, 30, 31, 255].map((v) => signature.with(64, v)),
      signature.slice().fill(0, 0, 32),
      signature.slice().fill(0, 32, 64),
      signature.slice().fill(0xff, 0, 32),
    ]
    for (const altered of refused) assert.equal(findSignerAddress(digest, altered), undefined, hexFromBytes(altered))
    assert.equal(findSignerAddress(digest.subarray(1), signature), undefined)
  })

  test('that was seen to be good lends nothing to another digest, signer, r, s or v', async () => {
    const signer = testSigner(4)
    const signature = await signer.signDigest(digest)
    for (let time = 0; time < 2; time++) assert.equal(findSignerAddress(digest, signature), signer.address)
    const other = await testSigner(5).signDigest(digest)
    assert.equal(findSignerAddress(digest, other), testSigner(5).address)
    assert.notEqual(findSignerAddress(dataOf('another digest', 32), signature), signer.address)
    assert.notEqual(findSignerAddress(digest, signature.with(64, signature[64]! === 27 ? 28 : 27)), signer.address)
    assert.notEqual(
      findSignerAddress(digest, concatBytes(signature.subarray(0, 32), other.subarray(32))),
      signer.address,
    )
    assert.notEqual(
      findSignerAddress(digest, concatBytes(other.subarray(0, 32), signature.subarray(32))),
      signer.address,
    )
    assert.equal(findSignerKey(digest, malleableTwin(signature)), undefined)
    const order = bytes(`0x${ORDER.toString(16)}`)
    const halfAndOne = bytes(`0x${(ORDER / 2n + 1n).toString(16)}`)
    for (const [at, scalar] of [
      [0, order],
      [32, order],
      [32, halfAndOne],
    ] as const) {
      const altered = signature.slice()
      altered.set(scalar, at)
      assert.equal(findSignerKey(digest, altered), undefined, `${hexFromBytes(scalar)} at ${at}`)
    }
    assert.equal(findSignerAddress(digest, signature), signer.address)
  })

  test('gives its key in memory of its own: who alters it alters nothing that is remembered', async () => {
    const signature = await testSigner(6).signDigest(digest)
    findSignerKey(digest, signature)!.fill(0)
    assert.deepEqual(compressPublicKey(findSignerKey(digest, signature)!), testSigner(6).publicKey)
  })

  test('altered in any bit never names the signer', async () => {
    const signer = testSigner(9)
    const signature = await signer.signDigest(digest)
    fc.assert(
      fc.property(fc.nat(64 * 8 - 1), (bit) => {
        const altered = signature.slice()
        altered[bit >> 3]! ^= 1 << (bit & 7)
        assert.notEqual(findSignerAddress(digest, altered), signer.address)
      }),
      { numRuns: 60 },
    )
  })
})

describe('the login digest', () => {
  const token = utf8('memo.test')
  const published =
    '0x722d052d11835c1957ef401a47ce78569c667be279b067d0de84129dfce87a3a286c4fc97ecb664040b763fad18d30c7c4de6ff3483b24e6e2e2232f1bf0771501'

  test('and its signature are those of the original’s form', async () => {
    const digest = loginDigest(V1_DID, token, 1_700_000_000)
    assert.equal(hexFromBytes(digest), '0x7cfa03031df72164e38bdb838322658d3fbdb1c0734b56587118caa26037e6f4')
    const signature = await createKeySigner(V1_TEST_KEY).signDigest(digest)
    assert.equal(hexFromBytes(signature.with(64, signature[64]! - 27)), published)
    assert.equal(findSignerAddress(digest, bytes(published)), V1_ADDRESS)
  })

  test('of another DID, token or time is another', () => {
    const digest = hexFromBytes(loginDigest(V1_DID, token, 1))
    assert.notEqual(hexFromBytes(loginDigest(`${V1_DID}0`, token, 1)), digest)
    assert.notEqual(hexFromBytes(loginDigest(V1_DID, utf8('memo.tesu'), 1)), digest)
    assert.notEqual(hexFromBytes(loginDigest(V1_DID, token, 2)), digest)
  })

  test('keccak of a known text is what others found', () => {
    const hello = '0x1c8aff950685c2ed4bc3174f3472287b56d9517b9c948127319a09a7a36deac8'
    assert.equal(hexFromBytes(keccak256(utf8('hello'))), hello)
  })
})

describe('a wrapped key', () => {
  const secret = testSecret(7)
  const { publicKey } = createKeySigner(secret)
  const key = dataOf('content key', 32)

  test('is read by the holder of the secret key, and by eciesjs', () => {
    const wrapped = wrapKey(publicKey, key)
    assert.equal(wrapped.length, 65 + 16 + 16 + 32)
    assert.deepEqual(unwrapKey(secret, wrapped), key)
    assert.deepEqual(Uint8Array.from(decrypt(secret, wrapped)), key)
  })

  test('that eciesjs made is read', () => {
    assert.deepEqual(unwrapKey(secret, Uint8Array.from(encrypt(publicKey, key))), key)
  })

  test('differs each time, and is the same for the same randomness', () => {
    assert.notDeepEqual(wrapKey(publicKey, key), wrapKey(publicKey, key))
    const seeded = () => wrapKey(publicKey, key, createSeededRandomness('wrap').bytes)
    assert.deepEqual(seeded(), seeded())
  })

  test('is not read by another key, cut off anywhere or altered anywhere', () => {
    const wrapped = wrapKey(publicKey, key)
    assert.throws(() => unwrapKey(testSecret(8), wrapped), BadInputError)
    for (let end = 0; end < wrapped.length; end += 8) {
      assert.throws(() => unwrapKey(secret, wrapped.subarray(0, end)), BadInputError, `${end} bytes`)
    }
    for (let at = 0; at < wrapped.length; at += 3) {
      const altered = wrapped.slice()
      altered[at]! ^= 0x10
      assert.throws(() => unwrapKey(secret, altered), BadInputError, `byte ${at}`)
    }
  })

  test('is not made for what is no key', () => {
    assert.throws(() => wrapKey(new Uint8Array(33), key), BadInputError)
    assert.throws(() => wrapKey(publicKey.subarray(1), key), BadInputError)
  })
})
