import { escrowAbi, ordersAbi, readsAbi } from '@memo/contracts'
import type { Address, EpochInfo, OrderInfo, OrderSegment, ReadAllowanceInfo } from '@memo/core'
import { type Addresses, canonicalAddress } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { ContractRefused } from '../client/revert.ts'
import type { LockParams } from '../deploy/params.ts'
import { callView } from './call.ts'

type Common = { readonly addresses: Addresses }

/** What an account has in escrow, and who receives what it withdraws. `spec/orders.md` 1 and 3 */
export type EscrowInfo = {
  readonly freeAtto: bigint
  /** What of it was earned: it cannot be locked while another is the payee. */
  readonly incomeAtto: bigint
  readonly payee: Address
}

export async function getEscrow(
  client: ChainClient,
  { addresses, account }: Common & { readonly account: Address },
): Promise<EscrowInfo> {
  const contract = { address: addresses.escrow, abi: escrowAbi, args: [account] } as const
  const [freeAtto, incomeAtto, payee] = await Promise.all([
    callView(client, { ...contract, functionName: 'balanceOf' }),
    callView(client, { ...contract, functionName: 'incomeOf' }),
    callView(client, { ...contract, functionName: 'payeeOf' }),
  ])
  return { freeAtto, incomeAtto, payee: canonicalAddress(payee) }
}

/** The order with this number. Errors: `ContractRefused` with reason `UnknownOrder`. */
export async function getOrder(
  client: ChainClient,
  { addresses, orderId }: Common & { readonly orderId: bigint },
): Promise<OrderInfo> {
  const contract = { address: addresses.orders, abi: ordersAbi, args: [orderId] } as const
  const [order, segments] = await Promise.all([
    callView(client, { ...contract, functionName: 'getOrder' }),
    callView(client, { ...contract, functionName: 'getSegments' }),
  ])
  const { start, end, settledTo, liableBytes } = order
  return {
    user: canonicalAddress(order.user),
    provider: canonicalAddress(order.provider),
    group: order.group,
    start,
    end,
    seq: BigInt(order.seq),
    lockedAtto: order.locked,
    settledTo,
    liableBytes,
    segments: segments.map(({ from, sizeBytes, priceAttoPerGiBSecond, incomeAtto, totalAtto }) => ({
      from,
      sizeBytes,
      priceAttoPerGiBSecond,
      incomePerEpochAtto: incomeAtto,
      costPerEpochAtto: totalAtto,
    })),
  }
}

/** The same, or undefined where no order has this number. */
export async function findOrder(
  client: ChainClient,
  options: Common & { readonly orderId: bigint },
): Promise<OrderInfo | undefined> {
  try {
    return await getOrder(client, options)
  } catch (thrown) {
    if (thrown instanceof ContractRefused && thrown.reason === 'UnknownOrder') return undefined
    throw thrown
  }
}

/** Where the chain is in epochs, and how long they are. `spec/orders.md` 4 */
export async function getEpochs(client: ChainClient, { addresses }: Common): Promise<EpochInfo> {
  const contract = { address: addresses.orders, abi: ordersAbi } as const
  const [current, closedBefore, epochBlocks, epochSeconds] = await Promise.all([
    callView(client, { ...contract, functionName: 'currentEpoch' }),
    callView(client, { ...contract, functionName: 'closedBefore' }),
    callView(client, { ...contract, functionName: 'EPOCH_BLOCKS' }),
    callView(client, { ...contract, functionName: 'EPOCH_SECONDS' }),
  ])
  return { current, closedBefore, epochBlocks, epochSeconds }
}

/** What one epoch of an order brings its provider, and costs its user with fees. `spec/orders.md` 5 */
export async function quoteOrder(
  client: ChainClient,
  {
    addresses,
    sizeBytes,
    priceAttoPerGiBSecond,
  }: Common & {
    readonly sizeBytes: bigint
    readonly priceAttoPerGiBSecond: bigint
  },
): Promise<Pick<OrderSegment, 'incomePerEpochAtto' | 'costPerEpochAtto'>> {
  const [incomePerEpochAtto, costPerEpochAtto] = await callView(client, {
    address: addresses.orders,
    abi: ordersAbi,
    functionName: 'quote',
    args: [sizeBytes, priceAttoPerGiBSecond],
  })
  return { incomePerEpochAtto, costPerEpochAtto }
}

/** Whether an order of this user and nonce was opened or cancelled. */
export async function isOrderNonceUsed(
  client: ChainClient,
  { addresses, user, nonce }: Common & { readonly user: Address; readonly nonce: bigint },
): Promise<boolean> {
  return callView(client, {
    address: addresses.orders,
    abi: ordersAbi,
    functionName: 'isNonceUsed',
    args: [user, nonce],
  })
}

/** Bytes for which a provider is liable over all orders. `spec/orders.md` 12 */
export async function getLiableBytes(
  client: ChainClient,
  { addresses, provider }: Common & { readonly provider: Address },
): Promise<bigint> {
  return callView(client, {
    address: addresses.orders,
    abi: ordersAbi,
    functionName: 'liableBytes',
    args: [provider],
  })
}

/** The allowance of a payer under an order; all zeros where there is none. `spec/orders.md` 13 */
export async function getReadAllowance(
  client: ChainClient,
  { addresses, orderId, payer }: Common & { readonly orderId: bigint; readonly payer: Address },
): Promise<ReadAllowanceInfo> {
  return callView(client, {
    address: addresses.reads,
    abi: readsAbi,
    functionName: 'getAllowance',
    args: [orderId, payer],
  })
}

/** How long a payer who wants back what it locked for reads waits for vouchers. `spec/orders.md` 14 */
export async function getReadClosing(client: ChainClient, { addresses }: Common): Promise<LockParams> {
  return callView(client, { address: addresses.reads, abi: readsAbi, functionName: 'closing' })
}
