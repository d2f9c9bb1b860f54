import { Readable } from 'node:stream'
import type { ByteStream } from '@memo/core'

/** Less than one block of a sealed object has, so that one of them waits for the socket, and not two for each download. */
const BUFFER_BYTES = 262_144

/**
 * A stream as an answer's body. It is there once its first bytes are, so that what cannot begin is answered with an
 * error, not a cut. Its last bytes are held back until the source has ended well: a source that finds at its end that
 * all was wrong then leaves a body that is visibly too short.
 */
export async function startedStream(source: ByteStream): Promise<Readable> {
  const iterator = source[Symbol.asyncIterator]()
  const first = await nextBytes(iterator)
  let held = first
  // Known before the head is sent, so that what fails at once, or is over at once, is no cut either.
  let next = held && (await nextBytes(iterator))
  const rest = async function* () {
    try {
      while (held) {
        yield held
        held = next
        next = held && (await nextBytes(iterator))
      }
    } finally {
      await iterator.return?.()
    }
  }
  const stream = Readable.from(rest(), { objectMode: false, highWaterMark: BUFFER_BYTES })
  // A stream that is destroyed before its first read never enters the generator, whose end would free the source.
  stream.once('close', () => {
    iterator.return?.().catch(() => undefined) // nobody is left to be told
  })
  return stream
}

async function nextBytes(iterator: AsyncIterator<Uint8Array>): Promise<Uint8Array | undefined> {
  for (;;) {
    const step = await iterator.next()
    if (step.done) return undefined
    if (step.value.length > 0) return step.value
  }
}
