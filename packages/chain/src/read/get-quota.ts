import { quotaPayAbi, spaceMarketAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import { type Addresses, canonicalAddress } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { callView } from './call.ts'

/** The two things that a gateway sells. */
export type QuotaKind = 'space' | 'traffic'

type OfKind = { readonly addresses: Addresses; readonly kind: QuotaKind }

/** What an account has of space or traffic. `spec/space-market.md` 5 */
export type QuotaInfo = {
  /** What the next voucher names. */
  readonly nonce: bigint
  /** What was paid and is not cashed, in attomemo. */
  readonly balanceAtto: bigint
  readonly sizeByte: bigint
  readonly freeByte: bigint
  /** Seconds since 1970; 0n where nothing was bought or granted. */
  readonly expire: bigint
}

/** The contract that holds the money of a kind, to which payers approve it. */
export function payContractOf(addresses: Addresses, kind: QuotaKind): Address {
  return kind === 'space' ? addresses.spacePay : addresses.trafficPay
}

export async function getQuota(
  client: ChainClient,
  { addresses, kind, buyer }: OfKind & { readonly buyer: Address },
): Promise<QuotaInfo> {
  const { nonce, balance, sizeByte, freeByte, expire } = await callView(client, {
    address: payContractOf(addresses, kind),
    abi: quotaPayAbi,
    functionName: 'payInfo',
    args: [buyer],
  })
  return { nonce, balanceAtto: balance, sizeByte, freeByte, expire }
}

/** Attomemo per byte now; of space for its whole validity. `spec/space-market.md` 2 */
export async function getQuotaPrice(client: ChainClient, { addresses, kind }: OfKind): Promise<bigint> {
  return callView(client, {
    address: addresses.spaceMarket,
    abi: spaceMarketAbi,
    functionName: kind === 'space' ? 'spacePrice' : 'trafficPrice',
  })
}

/** Whose vouchers are cashed now. */
export async function getSeller(
  client: ChainClient,
  { addresses }: { readonly addresses: Addresses },
): Promise<Address> {
  const seller = await callView(client, {
    address: addresses.spaceMarket,
    abi: spaceMarketAbi,
    functionName: 'seller',
  })
  return canonicalAddress(seller)
}

/** What an account can withdraw from the pay contract of a kind. */
export async function getQuotaWithdrawable(
  client: ChainClient,
  { addresses, kind, account }: OfKind & { readonly account: Address },
): Promise<bigint> {
  return callView(client, {
    address: payContractOf(addresses, kind),
    abi: quotaPayAbi,
    functionName: 'withdrawableOf',
    args: [account],
  })
}

/** The number that a payer's next signed purchase has. */
export async function getPurchaseNonce(
  client: ChainClient,
  { addresses, kind, payer }: OfKind & { readonly payer: Address },
): Promise<bigint> {
  return callView(client, {
    address: payContractOf(addresses, kind),
    abi: quotaPayAbi,
    functionName: 'purchaseNonce',
    args: [payer],
  })
}
