import { quotaPayAbi, spaceMarketAbi } from '@memo/contracts'
import { type Address, hexFromBytes } from '@memo/core'
import type { Addresses } from '../addresses.ts'
import { type ChainClient, requireSender } from '../client/chain-client.ts'
import { idFromDid } from '../did-id.ts'
import type { Purchase, QuotaVoucher } from '../messages/market.ts'
import { getQuotaPrice, payContractOf, type QuotaKind } from '../read/get-quota.ts'
import { callWrite, type WriteOptions, type WriteResult } from './call.ts'
import { signPermit } from './permit.ts'

type OfKind = WriteOptions & { readonly kind: QuotaKind }

const kindNumber = { space: 0, traffic: 1 } as const

/**
 * Buys space or traffic with MEMO of the client's account in one transaction, with a permit over the limit, by default
 * what it costs now. Errors: `ContractRefused` with reason `ERC20InsufficientBalance`, `PriceAboveLimit`. `spec/space-market.md` 3
 */
export async function buyQuota(
  client: ChainClient,
  {
    kind,
    addresses,
    sizeByte,
    buyer,
    maxAtto,
    signal,
  }: OfKind & {
    readonly sizeByte: bigint
    readonly buyer?: Address
    readonly maxAtto?: bigint
  },
): Promise<WriteResult> {
  const { from } = requireSender(client)
  const amountAtto = maxAtto ?? (await getQuotaPrice(client, { addresses, kind })) * sizeByte
  const spender = payContractOf(addresses, kind)
  const { deadline, v, r, s } = await signPermit(client, { addresses, spender, amountAtto })
  return callWrite(client, {
    ...marketOf({ addresses, signal }),
    functionName: 'buyWithPermit',
    args: [kindNumber[kind], sizeByte, buyer ?? from, amountAtto, deadline, v, r, s],
  })
}

/** Buys for whoever holds the master key of a DID; the money must be approved to the pay contract. */
export async function buyQuotaForDid(
  client: ChainClient,
  { kind, sizeByte, did, ...common }: OfKind & { readonly sizeByte: bigint; readonly did: string },
): Promise<WriteResult> {
  return callWrite(client, {
    ...marketOf(common),
    functionName: 'buyForDid',
    args: [kindNumber[kind], sizeByte, idFromDid(did)],
  })
}

/** Submits a purchase that its payer has signed and approved. `spec/space-market.md` 4 */
export async function submitPurchase(
  client: ChainClient,
  { kind, purchase, signature, ...common }: OfKind & { readonly purchase: Purchase; readonly signature: Uint8Array },
): Promise<WriteResult> {
  return callWrite(client, {
    ...marketOf(common),
    functionName: 'buySigned',
    args: [kindNumber[kind], purchase, hexFromBytes(signature)],
  })
}

/** Gives quota for nothing to an address; governance's granter alone. `spec/space-market.md` 9 */
export async function grantQuota(
  client: ChainClient,
  {
    kind,
    to,
    sizeByte,
    reason,
    ...common
  }: OfKind & {
    readonly to: Address
    readonly sizeByte: bigint
    readonly reason: string
  },
): Promise<WriteResult> {
  return callWrite(client, {
    ...marketOf(common),
    functionName: 'grant',
    args: [kindNumber[kind], to, sizeByte, reason],
  })
}

/** Gives quota for nothing to whoever holds the master key of a DID; governance's granter alone. */
export async function grantQuotaToDid(
  client: ChainClient,
  {
    kind,
    did,
    sizeByte,
    reason,
    ...common
  }: OfKind & {
    readonly did: string
    readonly sizeByte: bigint
    readonly reason: string
  },
): Promise<WriteResult> {
  return callWrite(client, {
    ...marketOf(common),
    functionName: 'grantToDid',
    args: [kindNumber[kind], idFromDid(did), sizeByte, reason],
  })
}

/** Announces prices and seller; governance alone. They count once the delay is over. `spec/space-market.md` 10 */
export async function announceMarketTerms(
  client: ChainClient,
  {
    spacePriceAttoPerByte,
    trafficPriceAttoPerByte,
    seller,
    ...common
  }: WriteOptions & {
    readonly spacePriceAttoPerByte: bigint
    readonly trafficPriceAttoPerByte: bigint
    readonly seller: Address
  },
): Promise<WriteResult> {
  const terms = { spacePrice: spacePriceAttoPerByte, trafficPrice: trafficPriceAttoPerByte, seller }
  return callWrite(client, { ...marketOf(common), functionName: 'announceTerms', args: [terms] })
}

/** Cashes a voucher in either form; the seller alone. `spec/space-market.md` 7 */
export async function cashVoucher(
  client: ChainClient,
  {
    kind,
    voucher,
    signature,
    ...common
  }: OfKind & {
    readonly voucher: Pick<QuotaVoucher, 'buyer' | 'nonce' | 'sizeByte'>
    readonly signature: Uint8Array
  },
): Promise<WriteResult> {
  const { buyer, nonce, sizeByte } = voucher
  return callWrite(client, {
    ...payOf({ kind, ...common }),
    functionName: 'cash',
    args: [buyer, nonce, sizeByte, hexFromBytes(signature)],
  })
}

/** Ends expired quota, so that what is left of its money can be withdrawn. `spec/space-market.md` 8 */
export async function endQuota(
  client: ChainClient,
  { buyer, ...common }: OfKind & { readonly buyer: Address },
): Promise<WriteResult> {
  return callWrite(client, { ...payOf(common), functionName: 'end', args: [buyer] })
}

/** Pays the client's account what it has earned as seller, or what expired quota left it. `spec/space-market.md` 8 */
export async function withdrawQuota(client: ChainClient, common: OfKind): Promise<WriteResult> {
  return callWrite(client, { ...payOf(common), functionName: 'withdraw', args: [] })
}

function marketOf({ addresses, signal }: WriteOptions): {
  address: Addresses['spaceMarket']
  abi: typeof spaceMarketAbi
  signal: AbortSignal | undefined
} {
  return { address: addresses.spaceMarket, abi: spaceMarketAbi, signal }
}

function payOf({ kind, addresses, signal }: OfKind): {
  address: Address
  abi: typeof quotaPayAbi
  signal: AbortSignal | undefined
} {
  return { address: payContractOf(addresses, kind), abi: quotaPayAbi, signal }
}
