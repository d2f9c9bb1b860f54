/** Memory that many streams of a process share: who needs some waits until others have given enough back. */
export type MemoryBudget = {
  readonly totalBytes: number
  readonly takenBytes: number
  /** In the order of asking. Rejects with the signal's reason. */
  take(bytes: number, signal?: AbortSignal): Promise<{ release(): void }>
  /** Whether somebody waits. */
  isWanted(): boolean
  /** Calls `listener` each time that somebody begins to wait; returns the way to end that. */
  onWanted(listener: () => void): () => void
}

/** The budgets of a process; apart, so that slow readers do not hold up those who write. */
export type StorageMemory = { readonly put: MemoryBudget; readonly read: MemoryBudget }

/** What one stripe takes of a budget. */
export type MemoryShare = {
  take(signal: AbortSignal): Promise<{ release(): void }>
  /** Whether it would be given at once. */
  isFree(): boolean
}

/** `bytes` of a budget, or all of it where it is smaller: then stripes go one at a time. */
export function memoryShare(memory: MemoryBudget, bytes: number): MemoryShare {
  const share = Math.min(bytes, memory.totalBytes)
  return {
    take: async (signal) => await memory.take(share, signal),
    isFree: () => !memory.isWanted() && memory.takenBytes + share <= memory.totalBytes,
  }
}
