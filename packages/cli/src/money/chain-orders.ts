import { getOrder, getReadAllowance, type MemoChain, type OrderInfo, type ReadAllowanceInfo } from '@memo/chain'
import { ordersAbi, readsAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import { readEvents } from './events.ts'

/** An order with its number, as the chain has it. */
export type NumberedOrder = OrderInfo & { readonly orderId: bigint }

/** An allowance of a payer under an order. */
export type NumberedAllowance = ReadAllowanceInfo & { readonly orderId: bigint; readonly payer: Address }

/** The orders of a user or of a provider, oldest first; those of long ago too. */
export async function listOrders(
  chain: MemoChain,
  who: { readonly user: Address } | { readonly provider: Address },
): Promise<NumberedOrder[]> {
  const { client, addresses } = chain
  const contract = { address: addresses.orders, abi: ordersAbi, eventName: 'OrderOpened', args: who } as const
  const events = await readEvents(chain, async (fromBlock, toBlock) => {
    return await client.rpc.getContractEvents({ ...contract, fromBlock, toBlock, strict: true })
  })
  return await Promise.all(
    events.map(async ({ args: { orderId } }) => ({ orderId, ...(await getOrder(client, { addresses, orderId })) })),
  )
}

/** What a payer has locked for reads, under whatever orders. */
export async function listAllowances(chain: MemoChain, payer: Address): Promise<NumberedAllowance[]> {
  const { client, addresses } = chain
  const contract = { address: addresses.reads, abi: readsAbi, eventName: 'ReadsAllowed', args: { payer } } as const
  const events = await readEvents(chain, async (fromBlock, toBlock) => {
    return await client.rpc.getContractEvents({ ...contract, fromBlock, toBlock, strict: true })
  })
  const ids = [...new Set(events.map(({ args }) => args.orderId))]
  return await Promise.all(
    ids.map(async (orderId) => ({
      orderId,
      payer,
      ...(await getReadAllowance(client, { addresses, orderId, payer })),
    })),
  )
}

/** What is still locked in an allowance, in attomemo. */
export function lockedInReads({ bytesAllowed, bytesPaid, priceAttoPerByte }: ReadAllowanceInfo): bigint {
  return (bytesAllowed - bytesPaid) * priceAttoPerByte
}
