import type { Address, OrderInfo } from '@memo/core'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { findOrder } from './get-order.ts'
import { listOpenedOrders } from './list-opened-orders.ts'

/** An order with its number, as the chain has it. */
export type NumberedOrder = OrderInfo & { readonly orderId: bigint }

/** The orders of a user as they are now, oldest first; those that are over too. */
export async function listOrders(
  client: ChainClient,
  { addresses, user }: { readonly addresses: Addresses; readonly user: Address },
): Promise<NumberedOrder[]> {
  const opened = await listOpenedOrders(client, { addresses, user })
  const orders = await Promise.all(
    opened.map(async ({ orderId }) => ({ orderId, order: await findOrder(client, { addresses, orderId }) })),
  )
  return orders.flatMap(({ orderId, order }) => (order ? [{ orderId, ...order }] : []))
}
