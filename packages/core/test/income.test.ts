import assert from 'node:assert/strict'
import { test } from 'node:test'
import { incomeUntil, type OrderInfo } from '@memo/core'
import fc from 'fast-check'

const epoch = fc.bigInt({ min: 0n, max: 60n })
const segment = fc.record({ from: epoch, incomePerEpochAtto: fc.bigInt({ min: 0n, max: 10n ** 24n }) })

/** Epoch by epoch: each brings what the last segment that began by then says. */
function countedOut({ segments, settledTo, end }: OrderInfo, until: bigint): bigint {
  let sum = 0n
  for (let now = settledTo; now < until && now < end; now++) {
    sum += segments.findLast(({ from }) => from <= now)?.incomePerEpochAtto ?? 0n
  }
  return sum
}

test('an order brings what its epochs bring one by one, from where it is settled to its end', () => {
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 5 }), epoch, epoch, epoch, (parts, settledTo, end, until) => {
      const starts = [...new Set(parts.map(({ from }) => from))].sort((a, b) => (a < b ? -1 : 1))
      const segments = starts.map((from) => parts.find((part) => part.from === from))
      const order = { segments, settledTo, end } as unknown as OrderInfo
      assert.equal(incomeUntil(order, until), countedOut(order, until))
    }),
  )
})
