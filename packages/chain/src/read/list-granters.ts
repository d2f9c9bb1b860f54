import { governanceAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import { type Addresses, canonicalAddress } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { governanceRoles } from '../deploy/governance-creations.ts'
import { readEvents } from '../events/read-events.ts'
import { isGranter } from './is-granter.ts'

/** Who may grant space and traffic now. `spec/governance.md` 3 */
export async function listGranters(
  client: ChainClient,
  { addresses }: { readonly addresses: Addresses },
): Promise<Address[]> {
  const contract = { address: addresses.governance, abi: governanceAbi, names: ['RoleGranted'] } as const
  const named = new Set<Address>()
  for await (const { args } of readEvents(client, { ...contract, args: { roleId: governanceRoles.granter } })) {
    named.add(canonicalAddress(args.account))
  }
  const candidates = [...named]
  const may = await Promise.all(candidates.map((account) => isGranter(client, { addresses, account })))
  return candidates.filter((_, place) => may[place])
}
