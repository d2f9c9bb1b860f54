import { type MemoryBudget, memoryShare } from './memory.ts'
import { createNotifier } from './notifier.ts'

/** A bounded number of places, for instance of stripes that may be in memory at once. */
export type Slots = {
  /** Takes a place; waits while there is none. */
  take(signal: AbortSignal): Promise<void>
  give(): void
  /** Whether a place would be given at once. */
  isFree(): boolean
  /** Whether somebody waits for a place, here or at the memory that all share. */
  isWanted(): boolean
}

export type SlotsOptions = {
  readonly size: number
  /** Called when somebody begins to wait, so that places which are held in reserve can be given up. */
  readonly onWanted: () => void
  /** Shared with others: each place takes so many bytes of it. */
  readonly memory?: { readonly budget: MemoryBudget; readonly bytes: number } | undefined
  /** Aborted when the places are no longer used. */
  readonly ended: AbortSignal
}

export function createSlots({ size, onWanted, memory, ended }: SlotsOptions): Slots {
  const freed = createNotifier()
  const share = memory && memoryShare(memory.budget, memory.bytes)
  const leases: { release(): void }[] = []
  let taken = 0
  let waiting = 0
  const unlisten = memory?.budget.onWanted(onWanted)
  if (unlisten) ended.addEventListener('abort', unlisten, { once: true })
  const giveBack = () => {
    taken--
    freed.notify()
  }
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
      if (!share) return
      try {
        leases.push(await share.take(signal))
      } catch (thrown) {
        giveBack()
        throw thrown
      }
    },
    give() {
      leases.pop()?.release()
      giveBack()
    },
    isFree: () => taken < size && (share?.isFree() ?? true),
    isWanted: () => waiting > 0 || (memory?.budget.isWanted() ?? false),
  }
}
