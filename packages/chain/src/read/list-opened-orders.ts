import { ordersAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import { parseEventLogs } from 'viem'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { asMemoError } from '../client/revert.ts'
import { readLogs } from '../events/read-logs.ts'

/** An order as it was opened; what became of it since, the chain says under its number. */
export type OpenedOrder = {
  readonly orderId: bigint
  readonly provider: Address
  readonly nonce: bigint
  readonly blockNumber: number
}

const openings = ordersAbi.filter(
  (item): item is Extract<(typeof ordersAbi)[number], { type: 'event'; name: 'OrderOpened' }> =>
    item.type === 'event' && item.name === 'OrderOpened',
)

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
  try {
    const toBlock = await client.rpc.getBlockNumber({ cacheTime: 0 })
    for await (const logs of readLogs(client, { address: addresses.orders, events: openings, fromBlock, toBlock })) {
      for (const { args, blockNumber } of parseEventLogs({ abi: openings, logs })) {
        if (args.user.toLowerCase() !== user) continue
        const provider = args.provider.toLowerCase() as Address
        opened.push({ orderId: args.orderId, provider, nonce: args.terms.nonce, blockNumber: Number(blockNumber) })
      }
    }
  } catch (error) {
    throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: 'list orders' })
  }
  return opened
}
