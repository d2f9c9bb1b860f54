import { rolesAbi } from '@memo/contracts'
import { type Account, BadInputError } from '@memo/core'
import type { Addresses } from '../addresses.ts'
import { type ChainClient, requireSender } from '../client/chain-client.ts'
import { ContractRefused } from '../client/revert.ts'
import { findAccount, getAccount } from '../read/find-account.ts'
import { callWrite, type WriteOptions } from './call.ts'

/** How an account is reached and who runs it. */
export type Contact = {
  /** Base URL, and libp2p multiaddrs after it, separated by spaces. */
  readonly endpoint: string
  readonly operator: string
  readonly region: string
}

/** What a provider offers, and at which price. */
export type Offer = {
  readonly capacityBytes: number
  readonly storagePriceAttoPerGiBSecond: bigint
  readonly retrievalPriceAttoPerByte: bigint
}

export type RegisterUserOptions = WriteOptions
export type RegisterKeeperOptions = WriteOptions & { readonly contact: Contact }
export type RegisterProviderOptions = WriteOptions & { readonly contact: Contact; readonly offer: Offer }

/**
 * Makes the client's account a user, for good. Again is no error: the account is returned as it stands.
 * Errors: `ContractRefused` with reason `AlreadyRegistered` where it has another role. `spec/roles.md` 1
 */
export async function registerUser(client: ChainClient, options: RegisterUserOptions): Promise<Account> {
  const call = { functionName: 'registerUser', args: [] } as const
  return register(client, options, 'user', (contract) => callWrite(client, { ...contract, ...call }))
}

/** Makes the client's account a keeper, for good; active once its pledge meets the requirement. See {@link registerUser}. */
export async function registerKeeper(client: ChainClient, options: RegisterKeeperOptions): Promise<Account> {
  const call = { functionName: 'registerKeeper', args: [rawContact(options.contact)] } as const
  return register(client, options, 'keeper', (contract) => callWrite(client, { ...contract, ...call }))
}

/** Makes the client's account a provider, for good; active once its pledge meets the requirement. See {@link registerUser}. */
export async function registerProvider(client: ChainClient, options: RegisterProviderOptions): Promise<Account> {
  const args = [rawContact(options.contact), rawOffer(options.offer)] as const
  const call = { functionName: 'registerProvider', args } as const
  return register(client, options, 'provider', (contract) => callWrite(client, { ...contract, ...call }))
}

type RolesContract = { address: Addresses['roles']; abi: typeof rolesAbi; signal: AbortSignal | undefined }

async function register(
  client: ChainClient,
  { addresses, signal }: WriteOptions,
  role: Account['role'],
  write: (contract: RolesContract) => Promise<unknown>,
): Promise<Account> {
  const { from } = requireSender(client)
  const known = await findAccount(client, { addresses, address: from })
  if (known?.role === role) return known
  try {
    await write({ address: addresses.roles, abi: rolesAbi, signal })
  } catch (error) {
    // An earlier attempt whose answer was lost has done it: look before failing.
    if (!(error instanceof ContractRefused) || error.reason !== 'AlreadyRegistered') throw error
    const account = await findAccount(client, { addresses, address: from })
    if (account?.role !== role) throw error
    return account
  }
  return getAccount(client, { addresses, address: from })
}

/** The form that the contract takes. */
export function rawContact({ endpoint, operator, region }: Contact): {
  endpoint: string
  operatorLabel: string
  region: string
} {
  return { endpoint, operatorLabel: operator, region }
}

/** The form that the contract takes. Errors: {@link BadInputError} for a capacity that is no whole number. */
export function rawOffer(offer: Offer): {
  capacityBytes: bigint
  storagePriceAttoPerGiBSecond: bigint
  retrievalPriceAttoPerByte: bigint
} {
  if (!Number.isSafeInteger(offer.capacityBytes) || offer.capacityBytes < 0) {
    throw new BadInputError('capacityBytes must be a whole number from 0', { details: { value: offer.capacityBytes } })
  }
  return { ...offer, capacityBytes: BigInt(offer.capacityBytes) }
}
