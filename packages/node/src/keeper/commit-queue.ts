import type { IndexChange, IndexStore } from '@memo/core'

/** The changes of one step, given its number. */
export type StepChanges = (cursor: number) => readonly IndexChange[]

/**
 * Numbers steps from 1 without gaps and makes them durable in the order of their numbers, many in one commit when
 * they come fast. A feed that shows number n has shown all before it.
 */
export type CommitQueue = {
  /** Number of the newest durable step. */
  readonly last: number
  /** Resolves with the step's number once it is durable. */
  append(changes: StepChanges): Promise<number>
}

const MAX_BATCH = 100

type Waiting = {
  readonly changes: StepChanges
  readonly resolve: (cursor: number) => void
  readonly reject: (cause: unknown) => void
}

/** `lastChange` is the record that remembers the newest number. */
export function createCommitQueue(
  index: IndexStore,
  first: number,
  lastChange: (cursor: number) => IndexChange,
): CommitQueue {
  const waiting: Waiting[] = []
  let last = first
  let isRunning = false

  const commitBatch = async (batch: readonly Waiting[]) => {
    try {
      const changes = batch.flatMap((step, i) => step.changes(last + 1 + i))
      await index.apply([...changes, lastChange(last + batch.length)])
    } catch (cause) {
      for (const step of batch) step.reject(cause)
      return
    }
    for (const [i, step] of batch.entries()) step.resolve(last + 1 + i)
    last += batch.length
  }
  const run = async () => {
    isRunning = true
    while (waiting.length > 0) await commitBatch(waiting.splice(0, MAX_BATCH))
    isRunning = false
  }
  return {
    get last() {
      return last
    },
    append(changes) {
      return new Promise((resolve, reject) => {
        waiting.push({ changes, resolve, reject })
        if (!isRunning) void run()
      })
    },
  }
}
