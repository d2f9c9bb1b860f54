import type { ByteSource, ByteStream } from '@memo/core'

/** A slice of a source that is given in one piece, so that events and aborts come in between. */
const SLICE_BYTES = 1_048_576

/** The promise, or the reason of `signal` if that comes first. What the promise does later is no matter any more. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason)
    const settle = (act: () => void) => {
      signal.removeEventListener('abort', abort)
      act()
    }
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    work.then(
      (value) => settle(() => resolve(value)),
      (error) => settle(() => reject(error)),
    )
  })
}

/** The stream of a source. It ends with the signal's reason even when the source does not answer any more. */
export async function* abortableStream(
  source: ByteSource,
  signal: AbortSignal,
): ByteStream & AsyncGenerator<Uint8Array> {
  const iterator = source instanceof Uint8Array ? slicesOf(source) : iteratorOf(source)
  let isPending = false
  try {
    for (;;) {
      isPending = true
      const step = await orAborted(Promise.resolve(iterator.next()), signal)
      isPending = false
      if (step.done) return
      yield step.value
    }
  } finally {
    const left = Promise.resolve(iterator.return?.())
    left.catch(() => undefined) // the source is given up: how it ends is its own matter
    if (!isPending) await orAborted(left, signal).catch(() => undefined) // a source that is asked cannot end yet
  }
}

function iteratorOf(source: ByteStream | Iterable<Uint8Array>): AsyncIterator<Uint8Array> | Iterator<Uint8Array> {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
}

function* slicesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) yield bytes.subarray(at, at + SLICE_BYTES)
}
