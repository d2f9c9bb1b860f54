import type { ByteStream } from '@memo/core'

/**
 * The same bytes, of which none come out before the stream has ended well or more than `limitBytes` have come in: whoever
 * takes a short stream gets all of it, or nothing.
 */
export async function* heldBack(bytes: ByteStream, limitBytes: number): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] | undefined = []
  let length = 0
  for await (const part of bytes) {
    length += part.length
    if (!held) {
      yield part
      continue
    }
    held.push(part.slice())
    if (length <= limitBytes) continue
    yield* held
    held = undefined
  }
  if (held) yield* held
}
