import type { Clock } from '@memo/core'

/** So much an hour: it begins full and fills evenly (`spec/provider.md` 19 and 20). */
export type HourlyBucket = {
  /** False when there is not enough left; takes nothing then. */
  take(amount: number): boolean
  /** Of what was taken and not used. */
  giveBack(amount: number): void
  readonly left: number
}

const HOUR_MS = 3_600_000

export function createHourlyBucket(clock: Clock, perHour: number): HourlyBucket {
  let left = perHour
  let atMs = clock.nowMs()
  const fill = () => {
    const nowMs = clock.nowMs()
    // A clock that jumps ahead fills the bucket once; one that jumps back fills nothing.
    const gained = (Math.max(0, nowMs - atMs) / HOUR_MS) * perHour
    left = Math.min(perHour, left + gained)
    atMs = nowMs
  }
  return {
    take(amount) {
      fill()
      if (amount > left) return false
      left -= amount
      return true
    },
    giveBack(amount) {
      left = Math.min(perHour, left + amount)
    },
    get left() {
      fill()
      return Math.floor(left)
    },
  }
}
