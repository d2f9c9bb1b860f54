import { type Account, type Chain, type Clock, minOf } from '@memo/core'
import type { OrderPolicy } from './policy.ts'

/** The highest price that is paid; undefined where nothing bounds it. */
export type PriceLimit = () => Promise<bigint | undefined>

/** What bounds prices: for storing in attomemo per GiB-second, for reading in attomemo per byte. */
export type PriceLimits = { readonly storing: PriceLimit; readonly reading: () => Promise<bigint> }

/** How long the prices of all providers are believed. */
const BELIEVED_MS = 600_000
/** Of fewer that ask something, each or any two make the median themselves, and it says nothing of what others should cost. */
const ENOUGH_PRICES = 3

/**
 * What the policy says, and a multiple of what most providers ask: a provider sets its price alone, and one that asks for a
 * million times as much would take the whole escrow with one order. Free providers say nothing of what others should cost.
 */
export function createPriceLimits(options: {
  readonly chain: Pick<Chain, 'listProviders'>
  readonly clock: Clock
  readonly policy: Pick<
    OrderPolicy,
    | 'maxPriceAttoPerGiBSecond'
    | 'maxPriceTimesMedian'
    | 'maxPriceOfFewAttoPerGiBSecond'
    | 'maxRetrievalPriceAttoPerByte'
    | 'maxRetrievalPriceTimesMedian'
  >
}): PriceLimits {
  const { chain, clock, policy } = options
  let known: { readonly providers: readonly Account[]; readonly atMs: number } | undefined
  const listPrices = async (priceOf: (account: Account) => bigint): Promise<readonly bigint[]> => {
    const ageMs = known ? clock.nowMs() - known.atMs : -1
    if (!known || ageMs < 0 || ageMs >= BELIEVED_MS) {
      known = { providers: await chain.listProviders(), atMs: clock.nowMs() }
    }
    return known.providers
      .map(priceOf)
      .filter((price) => price > 0n)
      .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  }
  return {
    async storing() {
      if (policy.maxPriceAttoPerGiBSecond !== undefined) return policy.maxPriceAttoPerGiBSecond
      const prices = await listPrices((account) => account.storagePriceAttoPerGiBSecond)
      const median = lowerMedian(prices)
      if (median === undefined) return undefined
      const limit = median * BigInt(policy.maxPriceTimesMedian)
      return prices.length < ENOUGH_PRICES ? minOf(limit, policy.maxPriceOfFewAttoPerGiBSecond) : limit
    },
    async reading() {
      const most = policy.maxRetrievalPriceAttoPerByte
      const prices = await listPrices((account) => account.retrievalPriceAttoPerByte)
      const median = lowerMedian(prices)
      // What is stored is read where it lies: one of two that asks next to nothing must not price the other out.
      if (median === undefined || prices.length < ENOUGH_PRICES) return most
      return minOf(most, median * BigInt(policy.maxRetrievalPriceTimesMedian))
    },
  }
}

/** Of two in the middle the lower one. */
function lowerMedian(sorted: readonly bigint[]): bigint | undefined {
  return sorted[(sorted.length - 1) >> 1]
}
