import { readsAbi } from '@memo/contracts'
import type { Address, ReadAllowanceInfo } from '@memo/core'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { readEvents } from '../events/read-events.ts'
import { getReadAllowance } from './get-order.ts'

/** An allowance of a payer under an order. */
export type NumberedAllowance = ReadAllowanceInfo & { readonly orderId: bigint; readonly payer: Address }

/** What a payer has locked for reads, under whatever orders. `spec/orders.md` 13 */
export async function listReadAllowances(
  client: ChainClient,
  { addresses, payer }: { readonly addresses: Addresses; readonly payer: Address },
): Promise<NumberedAllowance[]> {
  const contract = { address: addresses.reads, abi: readsAbi, names: ['ReadsAllowed'] } as const
  const ids = new Set<bigint>()
  for await (const { args } of readEvents(client, { ...contract, args: { payer } })) ids.add(args.orderId)
  return await Promise.all(
    [...ids].map(async (orderId) => ({
      orderId,
      payer,
      ...(await getReadAllowance(client, { addresses, orderId, payer })),
    })),
  )
}
