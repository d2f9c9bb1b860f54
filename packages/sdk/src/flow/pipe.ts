import type { ByteStream } from '@memo/core'
import { createNotifier } from './notifier.ts'

/** Joins one who writes to one who reads a stream, with nothing stored in between. */
export type Pipe = {
  readonly stream: ByteStream
  /** Resolves when the reader is done with `bytes` and asks for more; rejects with the signal's reason. */
  write(bytes: Uint8Array): Promise<void>
  /** Ends the stream. */
  end(): void
}

export function createPipe(signal: AbortSignal): Pipe {
  const changed = createNotifier()
  let offered: Uint8Array | undefined
  let ended = false
  const stream = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) {
      while (!offered && !ended) await changed.wait(signal)
      signal.throwIfAborted()
      if (!offered) return
      yield offered
      offered = undefined
      changed.notify()
    }
  }
  return {
    stream: stream(),
    async write(bytes) {
      offered = bytes
      changed.notify()
      while (offered) await changed.wait(signal)
    },
    end() {
      ended = true
      changed.notify()
    },
  }
}
