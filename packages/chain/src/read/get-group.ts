import { rolesAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import { type Addresses, canonicalAddress } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { callView } from './call.ts'

export type Group = {
  readonly id: number
  /** How many active keepers it needs to serve. */
  readonly level: number
  readonly serving: boolean
  /** Its active keepers. */
  readonly keepers: readonly Address[]
}

/** A group by its id from 1. Errors: `ContractRefused` with reason `UnknownGroup`. */
export async function getGroup(
  client: ChainClient,
  { addresses, id }: { readonly addresses: Addresses; readonly id: number },
): Promise<Group> {
  const group = await callView(client, {
    address: addresses.roles,
    abi: rolesAbi,
    functionName: 'getGroup',
    args: [id],
  })
  return { ...group, keepers: group.keepers.map((keeper) => canonicalAddress(keeper)) }
}
