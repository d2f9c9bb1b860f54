import { primitives } from '#primitives'
import { utf8 } from '../bytes/index.ts'
import { assert, MemoError } from '../errors/index.ts'

/** A sealed chunk on disk, tag included: whole strips hold whole chunks (`spec/objects.md` 3). */
export const SEALED_CHUNK_BYTES = 65_536
export const TAG_BYTES = 16
/** Plaintext in one full chunk. */
export const CHUNK_BYTES: number = SEALED_CHUNK_BYTES - TAG_BYTES
export const CONTENT_KEY_BYTES = 32

/** Associated data of every chunk. */
export const SEAL_AAD: Uint8Array = utf8('memo-seal-v1')
const NONCE_BYTES = 12
const FINAL = 1

/** A sealed stream is truncated, reordered, altered, or sealed with another key. */
export class SealBrokenError extends MemoError {
  override readonly name: string = 'SealBrokenError'
  constructor(chunk: number) {
    super(`sealed chunk ${chunk} does not open: the bytes were altered, or the key is another`, {
      blame: 'user',
      retry: 'never',
      details: { chunk },
    })
  }
}

/** Bytes of the sealed form of `plainBytes` bytes: at least one (empty) chunk. */
export function sealedBytesOf(plainBytes: number): number {
  return plainBytes + TAG_BYTES * Math.max(1, Math.ceil(plainBytes / CHUNK_BYTES))
}

/**
 * Seals whole chunks: `plaintext` holds chunks `firstChunk…`, each full but perhaps the last, which must be the
 * object's last if it is short. `out` takes `sealedBytesOf(plaintext.length)` bytes (none for an empty stretch that
 * is not the object's end). The key must be used for one object only.
 */
export function sealChunks(
  key: Uint8Array,
  firstChunk: number,
  plaintext: Uint8Array,
  endsObject: boolean,
  out: Uint8Array,
): void {
  const chunks = Math.ceil(plaintext.length / CHUNK_BYTES) || (endsObject ? 1 : 0)
  assert(endsObject || plaintext.length % CHUNK_BYTES === 0, 'a short chunk that does not end its object')
  const prepared = primitives.prepareGcmKey(key)
  for (let i = 0; i < chunks; i++) {
    const chunk = plaintext.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES)
    const at = i * SEALED_CHUNK_BYTES
    const iv = chunkNonce(firstChunk + i, endsObject && i === chunks - 1)
    primitives.gcmSeal(prepared, iv, chunk, SEAL_AAD, out.subarray(at, at + chunk.length + TAG_BYTES))
  }
}

/**
 * Opens what {@link sealChunks} wrote: `sealed` holds whole chunks from `firstChunk`; `endsObject` says whether the
 * last of them is the object's last. Returns the plaintext, in new memory or at the beginning of `memory`, which may be
 * that of `sealed` itself. Errors: {@link SealBrokenError}; what `memory` then holds must not be used.
 */
export function openChunks(
  key: Uint8Array,
  firstChunk: number,
  sealed: Uint8Array,
  endsObject: boolean,
  memory?: Uint8Array,
): Uint8Array {
  const chunks = Math.ceil(sealed.length / SEALED_CHUNK_BYTES)
  if (endsObject && chunks === 0) throw new SealBrokenError(firstChunk) // even an empty object has its final chunk
  const plainBytes = Math.max(0, sealed.length - chunks * TAG_BYTES)
  const plaintext = memory ? memory.subarray(0, plainBytes) : new Uint8Array(plainBytes)
  const prepared = primitives.prepareGcmKey(key)
  for (let i = 0; i < chunks; i++) {
    const box = sealed.subarray(i * SEALED_CHUNK_BYTES, (i + 1) * SEALED_CHUNK_BYTES)
    const iv = chunkNonce(firstChunk + i, endsObject && i === chunks - 1)
    const out = plaintext.subarray(i * CHUNK_BYTES, i * CHUNK_BYTES + Math.max(0, box.length - TAG_BYTES))
    if (!primitives.gcmOpen(prepared, iv, box, SEAL_AAD, out)) throw new SealBrokenError(firstChunk + i)
  }
  return plaintext
}

/** STREAM nonce: chunk number, 11 bytes big endian, then 1 for the object's last chunk and 0 otherwise. */
export function chunkNonce(chunk: number, final: boolean): Uint8Array {
  const iv = new Uint8Array(NONCE_BYTES)
  const view = new DataView(iv.buffer)
  view.setUint32(3, Math.floor(chunk / 2 ** 32))
  view.setUint32(7, chunk >>> 0)
  iv[NONCE_BYTES - 1] = final ? FINAL : 0
  return iv
}
