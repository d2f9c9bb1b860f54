import { ApiError } from '../errors.ts'
import type { DownloadQuota } from './quota.ts'

/** What may be read of public objects without anybody paying the gateway (`spec/gateway.md` 14). */
export type PublicReads = {
  /** Lets a read of `length` bytes of an object in, and counts them. Errors: {@link ApiError} 503 with `Retry-After`. */
  begin(object: { readonly cid: string; readonly sizeBytes: number }, length: number): DownloadQuota
}

/** Of the hour’s bytes one object gets 1/n at the most, so that one that everybody reads does not keep all others away. */
const OBJECT_PART = 4
/** Objects whose reads are counted one by one; of more, the one that was read longest ago begins anew. */
const MAX_OBJECTS = 10_000
/** However little is asked for, about so much is read from providers: an answer is checked and opened in stretches. */
const LEAST_BYTES = 1_048_576
/** What was read ahead is paid, though the client went away before it was sent. */
const AHEAD_BYTES = 8 * 1_048_576
const HOUR_MS = 3_600_000

export function createPublicReads(options: {
  readonly nowMs: () => number
  readonly bytesPerHour: number
}): PublicReads {
  const { nowMs, bytesPerHour } = options
  const all = createBudget(nowMs, bytesPerHour)
  const objects = new Map<string, Budget>()

  const budgetOf = (cid: string): Budget => {
    const budget = objects.get(cid) ?? createBudget(nowMs, bytesPerHour / OBJECT_PART)
    objects.delete(cid) // and added again: the one longest unused comes first
    objects.set(cid, budget)
    const [oldest] = objects.keys()
    if (objects.size > MAX_OBJECTS && oldest !== undefined) objects.delete(oldest)
    return budget
  }
  return {
    begin({ cid, sizeBytes }, length) {
      const cost = Math.max(length, Math.min(sizeBytes, LEAST_BYTES))
      const own = budgetOf(cid)
      const waitMs = Math.max(all.waitMs(cost), own.waitMs(cost))
      if (waitMs > 0) throw overdrawn(all.waitMs(cost) > 0 ? 'public files' : 'this public file', waitMs)
      for (const budget of [all, own]) budget.add(-cost)
      let sent = 0
      return {
        async *watch(source) {
          for await (const bytes of source) {
            sent += bytes.length
            yield bytes
          }
        },
        async end() {
          const unread = Math.max(0, cost - Math.max(LEAST_BYTES, sent + AHEAD_BYTES))
          for (const budget of [all, own]) budget.add(unread)
        },
      }
    },
  }
}

/** So many bytes an hour: it begins full and fills evenly. */
type Budget = {
  /** Until so much can be taken; 0 where it can be now. What is more than there ever is waits for a full budget. */
  waitMs(bytes: number): number
  /** Below zero what is taken is owed to the time that comes. */
  add(bytes: number): void
}

function createBudget(nowMs: () => number, perHour: number): Budget {
  let left = perHour
  let atMs = nowMs()
  const fill = () => {
    // A clock that jumps ahead fills it once; one that jumps back fills nothing.
    left = Math.min(perHour, left + (Math.max(0, nowMs() - atMs) / HOUR_MS) * perHour)
    atMs = nowMs()
  }
  return {
    waitMs(bytes) {
      fill()
      if (perHour === 0) return HOUR_MS
      return Math.max(0, ((Math.min(bytes, perHour) - left) / perHour) * HOUR_MS)
    },
    add(bytes) {
      left = Math.min(perHour, left + bytes)
    },
  }
}

function overdrawn(what: string, waitMs: number): ApiError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1_000))
  const says = `this gateway has served as much of ${what} unpaid as it does in an hour; try again in ${seconds} s`
  return new ApiError(503, says, undefined, { 'retry-after': `${seconds}` })
}
