import { spaceMarketAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import { type Addresses, canonicalAddress } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import type { LockParams } from '../deploy/params.ts'
import { callView } from './call.ts'

/** What governance decides about the market. `spec/space-market.md` 10 */
export type MarketTerms = {
  readonly spacePriceAttoPerByte: bigint
  readonly trafficPriceAttoPerByte: bigint
  readonly seller: Address
}

/** The terms that were announced last, whether they count by now or not. */
export type AnnouncedTerms = {
  readonly terms: MarketTerms
  /** Seconds since 1970 and block at which they were announced; block 0n where nothing ever was. */
  readonly announcedAt: bigint
  readonly announcedBlock: bigint
  /** How long terms wait before they count. */
  readonly delay: LockParams
}

type Common = { readonly addresses: Addresses }

export async function getAnnouncedTerms(client: ChainClient, { addresses }: Common): Promise<AnnouncedTerms> {
  const contract = { address: addresses.spaceMarket, abi: spaceMarketAbi } as const
  const [next, announcedAt, announcedBlock, delay] = await callView(client, { ...contract, functionName: 'announced' })
  const terms = {
    spacePriceAttoPerByte: next.spacePrice,
    trafficPriceAttoPerByte: next.trafficPrice,
    seller: canonicalAddress(next.seller),
  }
  return { terms, announcedAt, announcedBlock, delay }
}

/** How long what is bought or granted is valid, in days. `spec/space-market.md` 5 */
export async function getValidityDays(client: ChainClient, { addresses }: Common): Promise<number> {
  const contract = { address: addresses.spaceMarket, abi: spaceMarketAbi } as const
  return Number(await callView(client, { ...contract, functionName: 'VALIDITY_DAYS' }))
}
