import { rolesAbi } from '@memo/contracts'
import type { Account, Role } from '@memo/core'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { accountFromRaw, roles } from './account-codec.ts'
import { callView } from './call.ts'

/** What the contract gives at once; below its own limit of 100, so that an answer stays small. */
const PAGE_SIZE = 50

export type ListAccountsOptions = { readonly addresses: Addresses; readonly role: Exclude<Role, 'none'> }

/** All accounts of a role in every state, in the order of registration, as of one block. */
export async function listAccounts(
  client: ChainClient,
  { addresses, role }: ListAccountsOptions,
): Promise<readonly Account[]> {
  const contract = { address: addresses.roles, abi: rolesAbi } as const
  const roleNumber = roles.indexOf(role)
  const found: Account[] = []
  for (;;) {
    // Accounts are only ever added at the end, so a block between two pages moves nothing.
    const page = await callView(client, {
      ...contract,
      functionName: 'listByRole',
      args: [roleNumber, BigInt(found.length), BigInt(PAGE_SIZE)],
    })
    for (const raw of page) {
      const account = accountFromRaw(raw)
      if (account !== undefined) found.push(account)
    }
    if (page.length < PAGE_SIZE) return found
  }
}

export async function listProviders(client: ChainClient, addresses: Addresses): Promise<readonly Account[]> {
  return listAccounts(client, { addresses, role: 'provider' })
}

export async function listKeepers(client: ChainClient, addresses: Addresses): Promise<readonly Account[]> {
  return listAccounts(client, { addresses, role: 'keeper' })
}
