import { getQuotaPrice, type MemoChain, type QuotaKind } from '@memo/chain'
import { spaceMarketAbi } from '@memo/contracts'
import { asking } from './rpc.ts'

/** What the gateway's market asks and how long what is bought is valid, as of one block. */
export type MarketFacts = {
  readonly spacePriceAttoPerByte: bigint
  readonly trafficPriceAttoPerByte: bigint
  readonly validityDays: number
  readonly block: { readonly number: number; readonly timestamp: number }
}

const DAY_SECONDS = 86_400

export async function getMarketFacts(chain: MemoChain): Promise<MarketFacts> {
  const { client, addresses } = chain
  const [spacePriceAttoPerByte, trafficPriceAttoPerByte, validityDays, block] = await Promise.all([
    getQuotaPrice(client, { addresses, kind: 'space' }),
    getQuotaPrice(client, { addresses, kind: 'traffic' }),
    asking(client, 'VALIDITY_DAYS', async () => {
      const contract = { address: addresses.spaceMarket, abi: spaceMarketAbi } as const
      return await client.rpc.readContract({ ...contract, functionName: 'VALIDITY_DAYS' })
    }),
    chain.getBlock(),
  ])
  return { spacePriceAttoPerByte, trafficPriceAttoPerByte, validityDays: Number(validityDays), block }
}

export function priceOf(facts: MarketFacts, kind: QuotaKind): bigint {
  return kind === 'space' ? facts.spacePriceAttoPerByte : facts.trafficPriceAttoPerByte
}

/** When what is bought or granted now expires: seconds since 1970. */
export function expiryOf({ validityDays, block }: MarketFacts): number {
  return block.timestamp + validityDays * DAY_SECONDS
}
