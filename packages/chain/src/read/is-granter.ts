import { governanceAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { governanceRoles } from '../deploy/governance-creations.ts'
import { callView } from './call.ts'

/** Whether an account may grant space and traffic at once. `spec/governance.md` 3 */
export async function isGranter(
  client: ChainClient,
  { addresses, account }: { readonly addresses: Addresses; readonly account: Address },
): Promise<boolean> {
  const [isMember, delay] = await callView(client, {
    address: addresses.governance,
    abi: governanceAbi,
    functionName: 'hasRole',
    args: [governanceRoles.granter, account],
  })
  return isMember && delay === 0
}
