import { decrypt, encrypt } from 'eciesjs'
import { BadInputError } from '../errors/index.ts'

/**
 * Key wrapping: ECIES over secp256k1 in the layout of eciesjs: ephemeral uncompressed key 65 ‖ nonce 16 ‖ tag 16 ‖
 * AES-256-GCM, key by HKDF-SHA256 (`spec/objects.md` 5).
 */

/** Wraps `key` so that only the holder of the secret key of `publicKey` (33 or 65 bytes) reads it. */
export function wrapKey(publicKey: Uint8Array, key: Uint8Array): Uint8Array {
  return new Uint8Array(encrypt(publicKey, key))
}

/** Unwraps what {@link wrapKey} made. Errors: {@link BadInputError} when it was wrapped for another key, or altered. */
export function unwrapKey(secretKey: Uint8Array, wrapped: Uint8Array): Uint8Array {
  try {
    return new Uint8Array(decrypt(secretKey, wrapped))
  } catch (cause) {
    throw new BadInputError('the wrapped key cannot be opened with this key', { cause })
  }
}
