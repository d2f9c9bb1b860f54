import { ordersAbi } from '@memo/contracts'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { callView } from './call.ts'

/** What settled orders have set aside for the keepers of a group and nobody has shared yet, in attomemo. `spec/orders.md` 11 */
export async function getKeeperPool(
  client: ChainClient,
  { addresses, group }: { readonly addresses: Addresses; readonly group: number },
): Promise<bigint> {
  return callView(client, { address: addresses.orders, abi: ordersAbi, functionName: 'keeperPool', args: [group] })
}
