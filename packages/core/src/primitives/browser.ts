import { gcm } from '@noble/ciphers/aes.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes } from '../bytes/index.ts'
import type { GcmKey, Primitives } from './types.ts'

/** The primitives of any JavaScript engine: the audited noble libraries. */
export const primitives: Primitives = {
  sha256: (data) => sha256(data),
  sha256Into(data, out, at) {
    out.set(sha256(data), at)
  },
  createSha256: () => {
    const state = sha256.create()
    return { update: (data) => void state.update(data), digest: () => state.digest() }
  },
  prepareGcmKey: (key) => key,
  gcmSeal(key, iv, plaintext, aad, out) {
    out.set(gcm(keyBytes(key), iv, aad).encrypt(plaintext), 0)
  },
  gcmOpen(key, iv, sealed, aad, out) {
    try {
      out.set(gcm(keyBytes(key), iv, aad).decrypt(sealed), 0)
      return true
    } catch {
      return false // the tag did not match, or there is none
    }
  },
  secp256k1Sign(digest, secretKey) {
    const recovered = secp256k1.sign(digest, secretKey, { prehash: false, format: 'recovered', lowS: true })
    return concatBytes(recovered.subarray(1), recovered.subarray(0, 1))
  },
  secp256k1Recover(digest, signature) {
    const v = signature[64]
    if (signature.length !== 65 || (v !== 0 && v !== 1)) return undefined
    try {
      const recovered = concatBytes(Uint8Array.of(v), signature.subarray(0, 64))
      const key = secp256k1.recoverPublicKey(recovered, digest, { prehash: false })
      return secp256k1.Point.fromBytes(key).toBytes(false)
    } catch {
      return undefined // r or s out of range
    }
  },
  secp256k1PublicKey: (secretKey) =>
    secp256k1.utils.isValidSecretKey(secretKey) ? secp256k1.getPublicKey(secretKey, false) : undefined,
  secp256k1IsPublicKey: (publicKey) => secp256k1.utils.isValidPublicKey(publicKey),
  secp256k1SharedPoint: (secretKey, publicKey) =>
    secp256k1.utils.isValidSecretKey(secretKey) && secp256k1.utils.isValidPublicKey(publicKey)
      ? secp256k1.getSharedSecret(secretKey, publicKey, false)
      : undefined,
}

function keyBytes(key: GcmKey): Uint8Array {
  return key as Uint8Array
}
