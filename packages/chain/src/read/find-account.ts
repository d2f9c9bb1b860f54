import { rolesAbi } from '@memo/contracts'
import { type Account, type Address, NotFoundError } from '@memo/core'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { accountFromRaw } from './account-codec.ts'
import { callView } from './call.ts'

export type FindAccountOptions = { readonly addresses: Addresses; readonly address: Address }

/** The account of an address, or undefined where it never registered (`spec/roles.md` 1). */
export async function findAccount(
  client: ChainClient,
  { addresses, address }: FindAccountOptions,
): Promise<Account | undefined> {
  const raw = await callView(client, {
    address: addresses.roles,
    abi: rolesAbi,
    functionName: 'getAccount',
    args: [address],
  })
  return accountFromRaw(raw)
}

/** The account of an address. Errors: {@link NotFoundError} where it never registered. */
export async function getAccount(client: ChainClient, options: FindAccountOptions): Promise<Account> {
  const account = await findAccount(client, options)
  if (account !== undefined) return account
  throw new NotFoundError(`${options.address} has no role`, { fix: 'Register it first.' })
}
