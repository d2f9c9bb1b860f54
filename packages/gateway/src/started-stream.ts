import type { ByteStream } from '@memo/core'

/** A stream that has begun; `return` lets its source go, also before the first read. */
export type StartedStream = AsyncIterableIterator<Uint8Array, undefined>

/**
 * A stream as an answer's body. It is there once its first bytes are, so that what cannot begin is answered with an
 * error, not a cut. Its last bytes are held back until the source has ended well: a source that finds at its end that
 * all was wrong then leaves a body that is visibly too short.
 */
export async function startedStream(source: ByteStream): Promise<StartedStream> {
  const iterator = source[Symbol.asyncIterator]()
  let held = await nextBytes(iterator)
  // Known before the head is sent, so that what fails at once, or is over at once, is no cut either.
  let next = held && (await nextBytes(iterator))
  let hasBegun = false
  const stream: StartedStream = {
    [Symbol.asyncIterator]: () => stream,
    async next() {
      if (hasBegun) {
        held = next
        next = held && (await nextBytes(iterator))
      }
      hasBegun = true
      return held ? { done: false, value: held } : { done: true, value: undefined }
    },
    async return() {
      held = undefined
      next = undefined
      await iterator.return?.()
      return { done: true, value: undefined }
    },
  }
  return stream
}

async function nextBytes(iterator: AsyncIterator<Uint8Array>): Promise<Uint8Array | undefined> {
  for (;;) {
    const step = await iterator.next()
    if (step.done) return undefined
    if (step.value.length > 0) return step.value
  }
}
