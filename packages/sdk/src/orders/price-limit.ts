import type { Chain, Clock } from '@memo/core'
import type { OrderPolicy } from './policy.ts'

/** The highest price at which an order is signed, in attomemo per GiB-second; undefined where nothing bounds it. */
export type PriceLimit = () => Promise<bigint | undefined>

/** How long the prices of all providers are believed. */
const BELIEVED_MS = 600_000

/**
 * What the policy says, or a multiple of what most providers ask: a provider sets its price alone, and one that asks for a
 * million times as much would take the whole escrow with one order. Free providers say nothing of what others should cost.
 */
export function createPriceLimit(options: {
  readonly chain: Pick<Chain, 'listProviders'>
  readonly clock: Clock
  readonly policy: Pick<OrderPolicy, 'maxPriceAttoPerGiBSecond' | 'maxPriceTimesMedian'>
}): PriceLimit {
  const { chain, clock, policy } = options
  let known: { readonly limit: bigint | undefined; readonly atMs: number } | undefined
  return async () => {
    if (policy.maxPriceAttoPerGiBSecond !== undefined) return policy.maxPriceAttoPerGiBSecond
    const ageMs = known ? clock.nowMs() - known.atMs : -1
    if (known && ageMs >= 0 && ageMs < BELIEVED_MS) return known.limit
    const prices = (await chain.listProviders())
      .map(({ storagePriceAttoPerGiBSecond }) => storagePriceAttoPerGiBSecond)
      .filter((price) => price > 0n)
      .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    // Of two in the middle the lower one.
    const median = prices[(prices.length - 1) >> 1]
    const limit = median === undefined ? undefined : median * BigInt(policy.maxPriceTimesMedian)
    known = { limit, atMs: clock.nowMs() }
    return limit
  }
}
