import { concatBytes } from './bytes.ts'

/** A stream of bytes in pieces of any length. */
export type ByteStream = AsyncIterable<Uint8Array>

/** What functions accept where bytes flow in. */
export type ByteSource = ByteStream | Iterable<Uint8Array> | Uint8Array

/** Thrown by {@link collectBytes} when a stream is longer than allowed; a plain RangeError, wrapped by callers. */
export async function collectBytes(source: ByteSource, maxBytes: number): Promise<Uint8Array> {
  if (source instanceof Uint8Array) {
    if (source.length > maxBytes) throw new RangeError(`more than ${maxBytes} bytes`)
    return source
  }
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of source) {
    length += part.length
    if (length > maxBytes) throw new RangeError(`more than ${maxBytes} bytes`)
    parts.push(part)
  }
  return parts.length === 1 && parts[0] ? parts[0] : concatBytes(...parts)
}

/**
 * Re-cuts a stream into blocks of exactly `blockBytes` (the last may be shorter; an empty stream gives none). Each
 * block is yielded once the next byte is known or the stream has ended, so `last` is exact. Without `allocate` a block
 * of the stream that has the right length is handed on as it is.
 */
export async function* blocksFromStream(
  source: ByteSource,
  blockBytes: number,
  allocate?: (bytes: number) => Uint8Array,
): AsyncGenerator<{ readonly block: Uint8Array; readonly last: boolean }> {
  let block: Uint8Array | undefined
  let filled = 0
  const stream = source instanceof Uint8Array ? [source] : source
  for await (const input of stream) {
    let at = 0
    while (at < input.length) {
      if (block !== undefined && filled === blockBytes) {
        yield { block, last: false }
        block = undefined
      }
      if (block === undefined && !allocate && input.length === blockBytes && at === 0) {
        block = input
        filled = blockBytes
        break
      }
      if (block === undefined) {
        block = allocate?.(blockBytes) ?? new Uint8Array(blockBytes)
        filled = 0
      }
      const take = Math.min(blockBytes - filled, input.length - at)
      block.set(input.subarray(at, at + take), filled)
      filled += take
      at += take
    }
  }
  if (block !== undefined) yield { block: block.subarray(0, filled), last: true }
}
