import { primitives } from '#primitives'
import { concatBytes, utf8 } from '../bytes/index.ts'
import { BadInputError } from '../errors/index.ts'
import { TAG_BYTES } from './seal.ts'

const NONCE_BYTES = 12

/** Seals a small message under a key that may be used again: random nonce 12 ‖ AES-256-GCM with tag. */
export function sealBox(key: Uint8Array, nonce: Uint8Array, message: Uint8Array, context: string): Uint8Array {
  const sealed = new Uint8Array(message.length + TAG_BYTES)
  primitives.gcmSeal(key, nonce, message, utf8(context), sealed)
  return concatBytes(nonce, sealed)
}

/** Opens what {@link sealBox} made with the same `context`. Errors: {@link BadInputError}. */
export function openBox(key: Uint8Array, box: Uint8Array, context: string): Uint8Array {
  const message = new Uint8Array(Math.max(0, box.length - NONCE_BYTES - TAG_BYTES))
  const sealed = box.subarray(NONCE_BYTES)
  if (!primitives.gcmOpen(key, box.subarray(0, NONCE_BYTES), sealed, utf8(context), message)) {
    throw new BadInputError('a sealed record does not open with this key')
  }
  return message
}
