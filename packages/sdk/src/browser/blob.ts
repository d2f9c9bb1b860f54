import type { ByteStream } from '@memo/core'

/** Bytes that are read at once. */
const SLICE_BYTES = 1_048_576

/**
 * The bytes of a file that a person chose, read as they are asked for and never as a whole. It may be read more than
 * once. Rejects when the file was changed or removed meanwhile.
 *
 * @example
 * ```ts
 * await storage.put(streamFromBlob(file), { did, name: file.name, contentType: file.type, isPublic: true, readers: [] })
 * ```
 */
export function streamFromBlob(blob: Blob): ByteStream {
  // Not every browser lets `blob.stream()` be iterated.
  return {
    async *[Symbol.asyncIterator]() {
      for (let at = 0; at < blob.size; at += SLICE_BYTES) {
        yield new Uint8Array(await blob.slice(at, at + SLICE_BYTES).arrayBuffer())
      }
    },
  }
}
