import {
  CHUNK_BYTES,
  chunkNonce,
  encodeStripe,
  SEAL_AAD,
  SEALED_CHUNK_BYTES,
  type StripeInput,
  sealedBytesOf,
  TAG_BYTES,
} from '@memo/core'
import type { StripeEncoder } from '../context.ts'

const CIPHER = 'AES-GCM'

/**
 * Encodes stripes as `encodeStripe` does, to the same bytes, and has the browser's own cipher seal them, which is many times
 * as fast and works beside this thread. Where a page has no WebCrypto, since it was not served securely, nothing changes.
 */
export function createWebCryptoEncoder(): StripeEncoder {
  const subtle = (globalThis.crypto as Crypto | undefined)?.subtle
  if (!subtle) return encodeStripe
  return async (stripe) => {
    const { contentKey } = stripe
    if (!contentKey) return encodeStripe(stripe)
    const plaintext = await sealStripe(subtle, contentKey, stripe)
    return encodeStripe({ ...stripe, plaintext, contentKey: undefined })
  }
}

type Crypto = typeof globalThis.crypto

/** The sealed chunks of a stripe (`spec/objects.md` 3). */
async function sealStripe(
  subtle: Crypto['subtle'],
  contentKey: Uint8Array,
  { plaintext, firstChunk, endsObject }: StripeInput,
): Promise<Uint8Array> {
  const key = await subtle.importKey('raw', bufferSource(contentKey), CIPHER, false, ['encrypt'])
  const sealed = new Uint8Array(sealedBytesOf(plaintext.length))
  const chunks = Math.max(1, Math.ceil(plaintext.length / CHUNK_BYTES))
  const sealing = Array.from({ length: chunks }, async (_, i) => {
    const chunk = plaintext.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES)
    const algorithm = {
      name: CIPHER,
      iv: bufferSource(chunkNonce(firstChunk + i, endsObject && i === chunks - 1)),
      additionalData: bufferSource(SEAL_AAD),
      tagLength: TAG_BYTES * 8,
    }
    const box = await subtle.encrypt(algorithm, key, bufferSource(chunk))
    sealed.set(new Uint8Array(box), i * SEALED_CHUNK_BYTES)
  })
  await Promise.all(sealing)
  return sealed
}

/** WebCrypto takes no shared memory, and none of ours is. */
function bufferSource(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>
}
