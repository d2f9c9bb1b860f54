import { memoTokenAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { callView } from './call.ts'

/** How much MEMO an address holds, in attomemo. */
export async function getMemoBalance(
  client: ChainClient,
  { addresses, address }: { readonly addresses: Addresses; readonly address: Address },
): Promise<bigint> {
  return callView(client, {
    address: addresses.memoToken,
    abi: memoTokenAbi,
    functionName: 'balanceOf',
    args: [address],
  })
}
