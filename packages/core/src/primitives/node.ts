import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  hash,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import {
  recover as eccRecover,
  isPoint,
  isPrivate,
  pointAdd,
  pointFromScalar,
  pointMultiply,
  privateSub,
  signRecoverable,
} from 'tiny-secp256k1'
import type { GcmKey, Hasher, Primitives } from './types.ts'

const TAG_BYTES = 16
const HASH_BYTES = 32

/** A Buffer as what it is: its `slice` would share memory where that of a Uint8Array copies. */
function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
}

/** The primitives of Node: OpenSSL by `node:crypto`, secp256k1 in WebAssembly. */
export const primitives: Primitives = {
  sha256: (data) => plain(hash('sha256', data, 'buffer')),
  sha256Into(data, out, at) {
    // A short string is made faster than a Buffer: this is a quarter of the time of a piece's tree.
    const digest = hash('sha256', data, 'binary')
    for (let i = 0; i < HASH_BYTES; i++) out[at + i] = digest.charCodeAt(i)
  },
  createSha256(): Hasher {
    const state = createHash('sha256')
    return { update: (data) => void state.update(data), digest: () => plain(state.digest()) }
  },
  prepareGcmKey: (key) => createSecretKey(key),
  gcmSeal(key, iv, plaintext, aad, out) {
    const cipher = createCipheriv('aes-256-gcm', cipherKey(key), iv)
    cipher.setAAD(aad)
    out.set(cipher.update(plaintext), 0)
    cipher.final()
    out.set(cipher.getAuthTag(), plaintext.length)
  },
  gcmOpen(key, iv, sealed, aad, out) {
    if (sealed.length < TAG_BYTES) return false
    const decipher = createDecipheriv('aes-256-gcm', cipherKey(key), iv)
    decipher.setAAD(aad)
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
    const plaintext = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES))
    try {
      decipher.final()
    } catch {
      return false // the tag did not match: the only thing that final() can refuse here
    }
    out.set(plaintext, 0)
    return true
  },
  secp256k1Sign(digest, secretKey) {
    const { signature, recoveryId } = signRecoverable(digest, secretKey)
    const out = new Uint8Array(65)
    out.set(signature, 0)
    out[64] = recoveryId
    return out
  },
  secp256k1Recover(digest, signature) {
    const v = signature[64]
    if (signature.length !== 65 || (v !== 0 && v !== 1)) return undefined
    try {
      return eccRecover(digest, signature.subarray(0, 64), v, false) ?? undefined
    } catch {
      return undefined // r or s out of range
    }
  },
  secp256k1PublicKey: (secretKey) =>
    isPrivate(secretKey) ? (pointFromScalar(secretKey, false) ?? undefined) : undefined,
  secp256k1IsPublicKey: (publicKey) => isPublicKey(publicKey),
  secp256k1SharedPoint(secretKey, publicKey) {
    if (!isPrivate(secretKey) || !isPublicKey(publicKey)) return undefined
    // This multiplication takes a time that depends on its scalar. Of a secret that is the sum of two scalars, one of
    // them random each time, neither tells anything (additive splitting of the scalar).
    for (;;) {
      const blind = plain(randomBytes(32))
      const rest = isPrivate(blind) ? privateSub(secretKey, blind) : null
      const parts = rest && [pointMultiply(publicKey, blind, false), pointMultiply(publicKey, rest, false)]
      const shared = parts?.[0] && parts[1] && pointAdd(parts[0], parts[1], false)
      if (shared) return shared
    }
  },
}

/** The forms that we use: some libraries know hybrid ones as well. */
function isPublicKey(bytes: Uint8Array): boolean {
  return ((bytes.length === 65 && bytes[0] === 4) || bytes.length === 33) && isPoint(bytes)
}

function cipherKey(key: GcmKey): KeyObject | Uint8Array {
  return key as KeyObject | Uint8Array
}
