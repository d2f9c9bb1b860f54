import { maxOf, minOf } from '../bytes/index.ts'
import type { OrderInfo } from '../ports.ts'

/** What the epochs of an order before `epoch` bring its provider that are not paid out. `spec/orders.md` 5 and 11 */
export function incomeUntil({ segments, settledTo, end }: OrderInfo, epoch: bigint): bigint {
  return segments.reduce((sum, { from, incomePerEpochAtto }, i) => {
    const first = maxOf(from, settledTo)
    const last = minOf(minOf(segments[i + 1]?.from ?? end, end), epoch)
    return last > first ? sum + incomePerEpochAtto * (last - first) : sum
  }, 0n)
}
