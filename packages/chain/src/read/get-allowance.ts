import { memoTokenAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { callView } from './call.ts'

/** How much MEMO of `owner` the `spender` may still take, in attomemo. */
export async function getMemoAllowance(
  client: ChainClient,
  { addresses, owner, spender }: { readonly addresses: Addresses; readonly owner: Address; readonly spender: Address },
): Promise<bigint> {
  return callView(client, {
    address: addresses.memoToken,
    abi: memoTokenAbi,
    functionName: 'allowance',
    args: [owner, spender],
  })
}
