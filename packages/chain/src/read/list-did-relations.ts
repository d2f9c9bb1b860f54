import { accountDidAbi } from '@memo/contracts'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { idFromDid } from '../did-id.ts'
import { readEvents } from '../events/read-events.ts'
import { callView } from './call.ts'

/** DID URLs by what their keys may do for the DID. A delegation carries its end in seconds since 1970. */
export type DidRelations = {
  readonly authentication: readonly string[]
  readonly assertion: readonly string[]
  readonly recovery: readonly string[]
  readonly delegation: readonly { readonly url: string; readonly expiration: bigint }[]
}

const relationNames = ['AddAuth', 'AddAssertion', 'AddRecovery', 'AddDelegation'] as const

/**
 * The relations in force. The contract can only say whether a URL is in a relation, so the URLs come from its events
 * and each is asked for again.
 */
export async function listDidRelations(
  client: ChainClient,
  { addresses, did }: { readonly addresses: Addresses; readonly did: string },
): Promise<DidRelations> {
  const id = idFromDid(did)
  const urls = await readUrls(client, addresses, id)
  const contract = { address: addresses.accountDid, abi: accountDidAbi } as const
  const keep = async (
    event: (typeof relationNames)[number],
    functionName: 'inAuth' | 'inAssertion' | 'inRecovery',
  ): Promise<string[]> => {
    const named = [...urls[event]]
    const flags = await Promise.all(
      named.map((url) => callView(client, { ...contract, functionName, args: [id, url] })),
    )
    return named.filter((_, position) => flags[position] === true)
  }
  const delegated = [...urls.AddDelegation]
  const [authentication, assertion, recovery, expirations] = await Promise.all([
    keep('AddAuth', 'inAuth'),
    keep('AddAssertion', 'inAssertion'),
    keep('AddRecovery', 'inRecovery'),
    Promise.all(
      delegated.map((url) => callView(client, { ...contract, functionName: 'inDelegation', args: [id, url] })),
    ),
  ])
  const delegation = delegated
    .map((url, position) => ({ url, expiration: expirations[position] ?? 0n }))
    .filter(({ expiration }) => expiration > 0n)
  return { authentication, assertion, recovery, delegation }
}

async function readUrls(
  client: ChainClient,
  addresses: Addresses,
  id: string,
): Promise<Record<(typeof relationNames)[number], Set<string>>> {
  const urls = {
    AddAuth: new Set<string>(),
    AddAssertion: new Set<string>(),
    AddRecovery: new Set<string>(),
    AddDelegation: new Set<string>(),
  }
  const contract = { address: addresses.accountDid, abi: accountDidAbi, names: relationNames } as const
  for await (const { eventName, args } of readEvents(client, { ...contract, args: { did: id } })) {
    urls[eventName].add('recovery' in args ? args.recovery : args.id)
  }
  return urls
}
