import { ordersAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import { type Addresses, canonicalAddress } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { readEvents } from '../events/read-events.ts'

/** An order as it was opened; what became of it since, the chain says under its number. */
export type OpenedOrder = {
  readonly orderId: bigint
  readonly provider: Address
  readonly nonce: bigint
  readonly blockNumber: number
}

/** Orders that were opened for a user since a block, oldest first, from the events alone. `spec/orders.md` 7 */
export async function listOpenedOrders(
  client: ChainClient,
  {
    addresses,
    user,
    fromBlock = 0n,
  }: { readonly addresses: Addresses; readonly user: Address; readonly fromBlock?: bigint },
): Promise<OpenedOrder[]> {
  const opened: OpenedOrder[] = []
  const contract = { address: addresses.orders, abi: ordersAbi, names: ['OrderOpened'] } as const
  for await (const { args, blockNumber } of readEvents(client, { ...contract, args: { user }, fromBlock })) {
    const provider = canonicalAddress(args.provider)
    opened.push({ orderId: args.orderId, provider, nonce: args.terms.nonce, blockNumber: Number(blockNumber) })
  }
  return opened
}
