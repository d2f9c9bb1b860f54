import { MemoError } from '@memo/core'
import type { GatewayEventSink } from './events.ts'

/** Work that no answer waits for. */
export type Background = {
  begin(work: () => Promise<void>): void
  /** Resolves when all that was begun has ended. */
  end(): Promise<void>
}

/** Work whose failures are events. */
export function createBackground(log: GatewayEventSink): Background {
  const running = new Set<Promise<void>>()
  const follow = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (thrown) {
      const name = thrown instanceof MemoError ? thrown.name : 'Error'
      log({ type: 'background-failed', level: 'error', message: `work after an answer failed: ${thrown}`, error: name })
    }
  }
  return {
    begin(work) {
      const done = follow(work).finally(() => running.delete(done))
      running.add(done)
    },
    async end() {
      await Promise.all(running)
    },
  }
}
