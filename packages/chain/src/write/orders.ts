import { ordersAbi } from '@memo/contracts'
import { type AmendmentTerms, assert, hexFromBytes, type OrderTerms } from '@memo/core'
import { parseEventLogs } from 'viem'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { callForReceipt, callWrite, resultFromReceipt, type WriteOptions, type WriteResult } from './call.ts'

/** Signatures over a message's digest; what the client's own account need not sign may be left out. */
export type OrderSignatures = {
  readonly userSignature?: Uint8Array | undefined
  readonly providerSignature?: Uint8Array | undefined
}

/** Epochs that one settlement takes at most. `spec/orders.md` 11 */
export const MAX_EPOCHS_PER_SETTLE = 2_048n

/**
 * Opens an order that both have signed. `spec/orders.md` 7
 * Errors: `ContractRefused` with reason `NonceUsed`, `EscrowTooSmall`, `CapacityExceeded`, `SubmittedTooLate`, …
 */
export async function openOrder(
  client: ChainClient,
  { addresses, terms, signal, ...signatures }: WriteOptions & OrderSignatures & { readonly terms: OrderTerms },
): Promise<WriteResult & { readonly orderId: bigint }> {
  const receipt = await callForReceipt(client, {
    ...ordersOf({ addresses, signal }),
    functionName: 'open',
    args: [terms, ...rawSignatures(signatures)],
  })
  const [opened] = parseEventLogs({ abi: ordersAbi, eventName: 'OrderOpened', logs: receipt.logs })
  assert(opened, 'an order that was opened says so')
  return { ...resultFromReceipt(receipt), orderId: opened.args.orderId }
}

/** Grows, renews or otherwise changes an order from the next epoch on, as both have signed. `spec/orders.md` 8 */
export async function amendOrder(
  client: ChainClient,
  { addresses, terms, signal, ...signatures }: WriteOptions & OrderSignatures & { readonly terms: AmendmentTerms },
): Promise<WriteResult> {
  return callWrite(client, {
    ...ordersOf({ addresses, signal }),
    functionName: 'amend',
    args: [terms, ...rawSignatures(signatures)],
  })
}

/** Makes the client's order smaller from the next epoch on, or ends it there with size 0. `spec/orders.md` 9 */
export async function shrinkOrder(
  client: ChainClient,
  { orderId, sizeBytes, ...common }: WriteOptions & { readonly orderId: bigint; readonly sizeBytes: bigint },
): Promise<WriteResult> {
  return callWrite(client, { ...ordersOf(common), functionName: 'shrink', args: [orderId, sizeBytes] })
}

/** Pays out epochs of an order that are beyond dispute; nothing where none is. `spec/orders.md` 11 */
export async function settleOrder(
  client: ChainClient,
  {
    orderId,
    maxEpochs = MAX_EPOCHS_PER_SETTLE,
    ...common
  }: WriteOptions & { readonly orderId: bigint; readonly maxEpochs?: bigint },
): Promise<WriteResult> {
  return callWrite(client, { ...ordersOf(common), functionName: 'settle', args: [orderId, maxEpochs] })
}

/** Shares what the keepers of a group have earned among those active now. `spec/orders.md` 11 */
export async function shareKeeperFees(
  client: ChainClient,
  { group, ...common }: WriteOptions & { readonly group: number },
): Promise<WriteResult> {
  return callWrite(client, { ...ordersOf(common), functionName: 'shareKeeperFees', args: [group] })
}

/** Makes an order with this nonce, signed by the client's account and not submitted, worthless. `spec/orders.md` 7 */
export async function cancelOrderNonce(
  client: ChainClient,
  { nonce, ...common }: WriteOptions & { readonly nonce: bigint },
): Promise<WriteResult> {
  return callWrite(client, { ...ordersOf(common), functionName: 'cancelNonce', args: [nonce] })
}

/** Records that the epoch of now has begun, from which dispute windows reckon. `spec/orders.md` 11 */
export async function pinEpoch(client: ChainClient, common: WriteOptions): Promise<WriteResult> {
  return callWrite(client, { ...ordersOf(common), functionName: 'pinEpoch', args: [] })
}

/** Stops new orders and amendments, or lets them again; governance alone. `spec/governance.md` 4 */
export async function setOrdersPaused(
  client: ChainClient,
  { paused, ...common }: WriteOptions & { readonly paused: boolean },
): Promise<WriteResult> {
  return callWrite(client, { ...ordersOf(common), functionName: paused ? 'pause' : 'unpause', args: [] })
}

function rawSignatures({ userSignature, providerSignature }: OrderSignatures): [`0x${string}`, `0x${string}`] {
  return [hexFromBytes(userSignature ?? new Uint8Array()), hexFromBytes(providerSignature ?? new Uint8Array())]
}

function ordersOf({ addresses, signal }: WriteOptions): {
  address: Addresses['orders']
  abi: typeof ordersAbi
  signal: AbortSignal | undefined
} {
  return { address: addresses.orders, abi: ordersAbi, signal }
}
