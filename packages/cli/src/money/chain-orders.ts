import { getReadAllowance, listOpenedOrders, type MemoChain } from '@memo/chain'
import { readsAbi } from '@memo/contracts'
import type { Address, OrderInfo, ReadAllowanceInfo } from '@memo/core'
import { readEvents } from './events.ts'

/** An order with its number, as the chain has it. */
export type NumberedOrder = OrderInfo & { readonly orderId: bigint }

/** An allowance of a payer under an order. */
export type NumberedAllowance = ReadAllowanceInfo & { readonly orderId: bigint; readonly payer: Address }

/** The orders of a user, oldest first; those that are over too. */
export async function listOrders(chain: MemoChain, user: Address): Promise<NumberedOrder[]> {
  const { client, addresses } = chain
  const opened = await listOpenedOrders(client, { addresses, user })
  const orders = await Promise.all(
    opened.map(async ({ orderId }) => ({ orderId, order: await chain.findOrder(orderId) })),
  )
  return orders.flatMap(({ orderId, order }) => (order ? [{ orderId, ...order }] : []))
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
