import type { Clock } from '@memo/core'
import { ApiError } from '../errors.ts'

const HOUR_MS = 3_600_000

/** Lets so many through in any hour. */
export type HourLimit = {
  /** Errors: {@link ApiError} 503 when there were as many within the last hour. */
  take(): void
}

export function createHourLimit(clock: Clock, most: number, what: string): HourLimit {
  let times: number[] = []
  return {
    take() {
      const now = clock.nowMs()
      // The clock may jump back: what lies in the future is of no known age.
      times = times.filter((at) => at <= now && now - at < HOUR_MS)
      if (times.length >= most) throw new ApiError(503, `this gateway has taken ${most} ${what} within an hour`)
      times.push(now)
    },
  }
}
