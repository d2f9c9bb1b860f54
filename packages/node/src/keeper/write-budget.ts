import type { Clock } from '@memo/core'
import { BusyError } from '../server/errors.ts'
import type { LogName } from './store.ts'

/** What one log may grow by. Whoever has not written for an hour has all of it at once. */
export type WriteBudget = { readonly entriesPerHour: number; readonly bytesPerHour: number }

/** This writer has written as much as one may in an hour. */
export class WriteBudgetError extends BusyError {
  override readonly name: string = 'WriteBudgetError'
}

/** How much each log has grown by of late (`spec/keeper.md` 12). In memory: a restart forgives. */
export type WriteBudgets = {
  /** Errors: {@link WriteBudgetError} when nothing of `budget` is left. */
  assertLeft(log: LogName, budget: WriteBudget): void
  /** Takes an entry off the budget. The last one may take more than is left, which then has to come in first. */
  charge(log: LogName, budget: WriteBudget, bytes: number): void
}

const HOUR_MS = 3_600_000
/** Logs that are remembered; of more, those that were written to longest ago are forgotten. */
const MAX_LOGS = 65_536
/** Sums of parts of a whole come out a little beside it. */
const ROUNDING = 1e-9

/** Parts of an hour's budget that are used up; they come back with time. */
type Used = { readonly entries: number; readonly bytes: number; readonly atMs: number }

export function createWriteBudgets(clock: Clock): WriteBudgets {
  const logs = new Map<string, Used>()
  const usedOf = (log: LogName): Used => {
    const atMs = clock.nowMs()
    const before = logs.get(nameOf(log))
    const back = before ? Math.max(0, atMs - before.atMs) / HOUR_MS : 0
    const rest = (used = 0) => Math.max(0, used - back)
    return { entries: rest(before?.entries), bytes: rest(before?.bytes), atMs }
  }
  return {
    assertLeft(log, budget) {
      const { entries, bytes } = usedOf(log)
      if (entries + 1 / budget.entriesPerHour < 1 + ROUNDING && bytes < 1) return
      const { did, writer } = log
      throw new WriteBudgetError('keeper', `${writer} has written too much for ${did} of late`, {
        did,
        writer,
        ...budget,
      })
    },
    charge(log, budget, length) {
      const { entries, bytes, atMs } = usedOf(log)
      const name = nameOf(log)
      logs.delete(name)
      logs.set(name, {
        entries: entries + 1 / budget.entriesPerHour,
        bytes: bytes + length / budget.bytesPerHour,
        atMs,
      })
      const [oldest] = logs.keys()
      if (logs.size > MAX_LOGS && oldest !== undefined) logs.delete(oldest)
    },
  }
}

function nameOf({ did, writer }: LogName): string {
  return `${writer}/${did}`
}
