import type { Timers } from '@memo/core'

/** Wakes those who wait for something to change. Whoever waits looks again by himself at what changed. */
export type Notifier = {
  notify(): void
  /** Resolves at the next {@link Notifier.notify}; rejects with the signal's reason. */
  wait(signal: AbortSignal): Promise<void>
  /** As `wait`, but resolves after `ms` at the latest. */
  waitAtMost(timers: Timers, ms: number, signal: AbortSignal): Promise<void>
}

/** Ends a sleep that something else ended. Without a reason of ours each abort would make an error with its stack. */
const AWAKE = 'awake'

export function createNotifier(): Notifier {
  let waiters = new Set<() => void>()
  const wait = async (signal: AbortSignal) => {
    signal.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const wake = () => {
        signal.removeEventListener('abort', abort)
        resolve()
      }
      const abort = () => {
        waiters.delete(wake)
        reject(signal.reason)
      }
      waiters.add(wake)
      signal.addEventListener('abort', abort, { once: true })
    })
  }
  return {
    notify() {
      const woken = waiters
      waiters = new Set()
      for (const wake of woken) wake()
    },
    wait,
    async waitAtMost(timers, ms, signal) {
      signal.throwIfAborted()
      const asleep = new AbortController()
      await new Promise<void>((resolve, reject) => {
        const end = (settle: () => void) => {
          waiters.delete(wake)
          signal.removeEventListener('abort', abort)
          asleep.abort(AWAKE)
          settle()
        }
        const wake = () => end(resolve)
        const abort = () => end(() => reject(signal.reason))
        waiters.add(wake)
        signal.addEventListener('abort', abort, { once: true })
        timers.sleep(ms, asleep.signal).then(wake, (thrown) => thrown === AWAKE || end(() => reject(thrown)))
      })
    },
  }
}
