import { createNotifier } from './notifier.ts'

/** A bounded number of places, for instance of stripes that may be in memory at once. */
export type Slots = {
  /** Takes a place; waits while there is none. */
  take(signal: AbortSignal): Promise<void>
  give(): void
  /** Whether somebody waits for a place. */
  isWanted(): boolean
}

/** `onWanted` is called when somebody begins to wait, so that places which are held in reserve can be given up. */
export function createSlots(size: number, onWanted: () => void): Slots {
  const freed = createNotifier()
  let taken = 0
  let waiting = 0
  return {
    async take(signal) {
      while (taken >= size) {
        waiting++
        const turn = freed.wait(signal)
        try {
          onWanted()
          await turn
        } finally {
          waiting--
        }
      }
      signal.throwIfAborted()
      taken++
    },
    give() {
      taken--
      freed.notify()
    },
    isWanted: () => waiting > 0,
  }
}
