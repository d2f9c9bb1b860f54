import { concatBytes } from '@memo/core'

/** The beginning of a stream: all of it, where it is short. */
export type Head =
  | { readonly isAll: true; readonly bytes: Uint8Array }
  | { readonly isAll: false; readonly stream: AsyncGenerator<Uint8Array> }

/** Reads on until more than `most` bytes are there, or the stream ends. */
export async function readHead(stream: AsyncGenerator<Uint8Array>, most: number): Promise<Head> {
  const read: Uint8Array[] = []
  let length = 0
  while (length <= most) {
    const step = await stream.next()
    if (step.done) return { isAll: true, bytes: read.length === 1 ? read[0]! : concatBytes(...read) }
    // A source may use its memory again once it is asked for more.
    read.push(step.value.length + length > most ? step.value : step.value.slice())
    length += step.value.length
  }
  return { isAll: false, stream: joined(read, stream) }
}

async function* joined(read: Uint8Array[], rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (let bytes = read.shift(); bytes; bytes = read.shift()) yield bytes
  yield* rest
}
