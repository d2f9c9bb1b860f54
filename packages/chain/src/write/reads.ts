import { readsAbi } from '@memo/contracts'
import { hexFromBytes, type ReadVoucher } from '@memo/core'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'

import { callWrite, type WriteOptions, type WriteResult } from './call.ts'

type Under = WriteOptions & { readonly orderId: bigint }

/** Locks escrow of the client's account for reading under an order. `spec/orders.md` 13 */
export async function allowReads(
  client: ChainClient,
  {
    orderId,
    sizeBytes,
    maxPriceAttoPerByte,
    ...common
  }: Under & {
    readonly sizeBytes: bigint
    readonly maxPriceAttoPerByte: bigint
  },
): Promise<WriteResult> {
  return callWrite(client, {
    ...readsOf(common),
    functionName: 'allow',
    args: [orderId, sizeBytes, maxPriceAttoPerByte],
  })
}

/** Presents a payer's newest voucher; its order's provider is paid. `spec/orders.md` 14 */
export async function redeemReads(
  client: ChainClient,
  {
    voucher,
    signature,
    ...common
  }: WriteOptions & {
    readonly voucher: Pick<ReadVoucher, 'orderId' | 'payer' | 'bytesRead'>
    readonly signature: Uint8Array
  },
): Promise<WriteResult> {
  const { orderId, payer, bytesRead } = voucher
  return callWrite(client, {
    ...readsOf(common),
    functionName: 'redeem',
    args: [orderId, payer, bytesRead, hexFromBytes(signature)],
  })
}

/** Announces to take back what is not read; the closing lock begins. `spec/orders.md` 14 */
export async function announceCloseReads(client: ChainClient, { orderId, ...common }: Under): Promise<WriteResult> {
  return callWrite(client, { ...readsOf(common), functionName: 'announceClose', args: [orderId] })
}

/** Takes back what vouchers left. Errors: `ContractRefused` with reason `LockNotOver`. `spec/orders.md` 14 */
export async function closeReads(client: ChainClient, { orderId, ...common }: Under): Promise<WriteResult> {
  return callWrite(client, { ...readsOf(common), functionName: 'close', args: [orderId] })
}

function readsOf({ addresses, signal }: WriteOptions): {
  address: Addresses['reads']
  abi: typeof readsAbi
  signal: AbortSignal | undefined
} {
  return { address: addresses.reads, abi: readsAbi, signal }
}
