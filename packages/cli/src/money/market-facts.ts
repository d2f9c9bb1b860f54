import { getQuotaPrice, getValidityDays, type MemoChain, type QuotaInfo, type QuotaKind } from '@memo/chain'

/** What the gateway's market asks and how long what is bought is valid, as of one block. */
export type MarketFacts = {
  readonly spacePriceAttoPerByte: bigint
  readonly trafficPriceAttoPerByte: bigint
  readonly validityDays: number
  readonly block: { readonly number: number; readonly timestamp: number }
}

const DAY_SECONDS = 86_400
/** What others add renews all that is there from this part of it on (`spec/space-market.md` 5). */
const RENEWING_PART = 10n

export async function getMarketFacts(chain: MemoChain): Promise<MarketFacts> {
  const { client, addresses } = chain
  const [spacePriceAttoPerByte, trafficPriceAttoPerByte, validityDays, block] = await Promise.all([
    getQuotaPrice(client, { addresses, kind: 'space' }),
    getQuotaPrice(client, { addresses, kind: 'traffic' }),
    getValidityDays(client, { addresses }),
    chain.getBlock(),
  ])
  return { spacePriceAttoPerByte, trafficPriceAttoPerByte, validityDays, block }
}

export function priceOf(facts: MarketFacts, kind: QuotaKind): bigint {
  return kind === 'space' ? facts.spacePriceAttoPerByte : facts.trafficPriceAttoPerByte
}

/** When what is bought or granted now expires: seconds since 1970. */
export function expiryOf({ validityDays, block }: MarketFacts): number {
  return block.timestamp + validityDays * DAY_SECONDS
}

/** When a buyer's quota expires once so much is added to it, by the buyer (`isOwn`) or by others. */
export function expiryAfter(
  facts: MarketFacts,
  { sizeByte, freeByte, expire }: QuotaInfo,
  added: { readonly sizeByte: number; readonly isOwn: boolean },
): number {
  const isOver = expire === 0n || Number(expire) < facts.block.timestamp
  const renews = added.isOwn || isOver || BigInt(added.sizeByte) * RENEWING_PART >= sizeByte + freeByte
  return renews ? expiryOf(facts) : Number(expire)
}
