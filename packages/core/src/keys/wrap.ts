import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { randomBytes } from '@noble/hashes/utils.js'
import { primitives } from '#primitives'
import { concatBytes } from '../bytes/index.ts'
import { BadInputError } from '../errors/index.ts'

/**
 * Key wrapping: ECIES over secp256k1, in the layout of eciesjs (`spec/objects.md` 5): ephemeral public key, uncompressed,
 * 65 ‖ nonce 16 ‖ tag 16 ‖ AES-256-GCM of the key, under HKDF-SHA256(ephemeral public key ‖ shared point, uncompressed).
 */

const POINT_BYTES = 65
const NONCE_BYTES = 16
const TAG_BYTES = 16
const HEAD_BYTES = POINT_BYTES + NONCE_BYTES + TAG_BYTES
const CIPHER_KEY_BYTES = 32
const NO_AAD = new Uint8Array(0)

/**
 * Wraps `key` so that only the holder of the secret key of `publicKey` (33 or 65 bytes) reads it. `random` gives
 * unpredictable bytes; by default those of the system. Errors: {@link BadInputError} when `publicKey` is none.
 */
export function wrapKey(
  publicKey: Uint8Array,
  key: Uint8Array,
  random: (length: number) => Uint8Array = randomBytes,
): Uint8Array {
  let ephemeral = random(32)
  let point = primitives.secp256k1PublicKey(ephemeral)
  while (!point) {
    ephemeral = random(32)
    point = primitives.secp256k1PublicKey(ephemeral)
  }
  const nonce = random(NONCE_BYTES)
  const sealed = new Uint8Array(key.length + TAG_BYTES)
  primitives.gcmSeal(cipherKey(ephemeral, publicKey, point), nonce, key, NO_AAD, sealed)
  return concatBytes(point, nonce, sealed.subarray(key.length), sealed.subarray(0, key.length))
}

/** Unwraps what {@link wrapKey} made. Errors: {@link BadInputError} when it was wrapped for another key, or altered. */
export function unwrapKey(secretKey: Uint8Array, wrapped: Uint8Array): Uint8Array {
  if (wrapped.length < HEAD_BYTES) throw new BadInputError('a wrapped key that is too short')
  const point = wrapped.subarray(0, POINT_BYTES)
  const nonce = wrapped.subarray(POINT_BYTES, POINT_BYTES + NONCE_BYTES)
  const sealed = concatBytes(wrapped.subarray(HEAD_BYTES), wrapped.subarray(POINT_BYTES + NONCE_BYTES, HEAD_BYTES))
  const key = new Uint8Array(sealed.length - TAG_BYTES)
  if (!primitives.gcmOpen(cipherKey(secretKey, point, point), nonce, sealed, NO_AAD, key)) {
    throw new BadInputError('the wrapped key cannot be opened with this key')
  }
  return key
}

function cipherKey(secretKey: Uint8Array, publicKey: Uint8Array, ephemeralPoint: Uint8Array): Uint8Array {
  const shared = primitives.secp256k1SharedPoint(secretKey, publicKey)
  if (!shared) throw new BadInputError('a key is wrapped with something that is no secp256k1 key')
  return hkdf(sha256, concatBytes(ephemeralPoint, shared), undefined, undefined, CIPHER_KEY_BYTES)
}
