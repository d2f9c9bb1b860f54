import type { OrderInfo } from '../ports.ts'

/** What the epochs of an order before `epoch` bring its provider that are not paid out. `spec/orders.md` 5 and 11 */
export function incomeUntil({ segments, settledTo, end }: OrderInfo, epoch: bigint): bigint {
  return segments.reduce((sum, { from, incomePerEpochAtto }, i) => {
    const first = from > settledTo ? from : settledTo
    const last = earlierOf(earlierOf(segments[i + 1]?.from ?? end, end), epoch)
    return last > first ? sum + incomePerEpochAtto * (last - first) : sum
  }, 0n)
}

/** The earlier of two epochs. */
export function earlierOf(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
