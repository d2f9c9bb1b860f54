import type { Clock } from '@memo/core'

/** What is served without a voucher: so much an hour, from a bucket that fills with time (`spec/provider.md` 20). */
export type UnpaidReads = {
  /** False when there is not enough left; takes nothing then. */
  take(bytes: number): boolean
  /** Of bytes that were taken and not sent. */
  giveBack(bytes: number): void
  readonly leftBytes: number
}

const HOUR_MS = 3_600_000

export function createUnpaidReads(clock: Clock, bytesPerHour: number): UnpaidReads {
  let leftBytes = bytesPerHour
  let atMs = clock.nowMs()
  const fill = () => {
    const nowMs = clock.nowMs()
    // A clock that jumps ahead fills the bucket once; one that jumps back fills nothing.
    const gained = (Math.max(0, nowMs - atMs) / HOUR_MS) * bytesPerHour
    leftBytes = Math.min(bytesPerHour, leftBytes + gained)
    atMs = nowMs
  }
  return {
    take(bytes) {
      fill()
      if (bytes > leftBytes) return false
      leftBytes -= bytes
      return true
    },
    giveBack(bytes) {
      leftBytes = Math.min(bytesPerHour, leftBytes + bytes)
    },
    get leftBytes() {
      fill()
      return Math.floor(leftBytes)
    },
  }
}
