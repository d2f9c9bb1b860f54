import { envelopeFromError } from '@memo/core'
import type { EventSink } from '../events.ts'

/** Work that goes on beside the answering of requests, until it is stopped. */
export type Background = {
  /** Aborted by {@link Background.stop}. */
  readonly signal: AbortSignal
  /** Starts `work`, which ends when the signal is aborted. An error that ends it earlier is an event. */
  run(name: string, work: (signal: AbortSignal) => Promise<void>): void
  /** Aborts the signal and waits for all that runs. */
  stop(): Promise<void>
}

export function createBackground(log: EventSink): Background {
  const controller = new AbortController()
  const running = new Set<Promise<void>>()
  return {
    signal: controller.signal,
    run(name, work) {
      const task = guard(name, work).finally(() => running.delete(task))
      running.add(task)
    },
    async stop() {
      controller.abort(new DOMException('stopped', 'AbortError'))
      await Promise.all(running)
    },
  }

  async function guard(name: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    try {
      await work(controller.signal)
    } catch (thrown) {
      if (controller.signal.aborted) return // the way in which waiting ends
      const message = `${name} ended: ${thrown instanceof Error ? thrown.message : String(thrown)}`
      log({ type: 'background-failed', level: 'error', message, ...envelopeFromError(thrown) })
    }
  }
}
