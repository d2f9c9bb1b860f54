import { rolesAbi } from '@memo/contracts'
import type { ChainClient } from '../client/chain-client.ts'
import { callWrite, type WriteOptions, type WriteResult } from './call.ts'
import { type Offer, rawOffer } from './register.ts'

/** Changes where the client's provider or keeper is reached. `spec/roles.md` 3 */
export async function setEndpoint(
  client: ChainClient,
  { addresses, endpoint, signal }: WriteOptions & { readonly endpoint: string },
): Promise<WriteResult> {
  return callWrite(client, {
    address: addresses.roles,
    abi: rolesAbi,
    functionName: 'setEndpoint',
    args: [endpoint],
    signal,
  })
}

/** Changes operator and region of the client's provider or keeper. `spec/roles.md` 3 */
export async function setLabels(
  client: ChainClient,
  { addresses, operator, region, signal }: WriteOptions & { readonly operator: string; readonly region: string },
): Promise<WriteResult> {
  return callWrite(client, {
    address: addresses.roles,
    abi: rolesAbi,
    functionName: 'setLabels',
    args: [operator, region],
    signal,
  })
}

/**
 * Changes capacity and prices of the client's provider.
 * Errors: `ContractRefused` with reason `PledgeTooSmall` where an active provider offers more than it has pledged for.
 */
export async function updateOffer(
  client: ChainClient,
  { addresses, offer, signal }: WriteOptions & { readonly offer: Offer },
): Promise<WriteResult> {
  return callWrite(client, {
    address: addresses.roles,
    abi: rolesAbi,
    functionName: 'setOffer',
    args: [rawOffer(offer)],
    signal,
  })
}

/** Begins to leave. `spec/roles.md` 5 */
export async function startExit(client: ChainClient, { addresses, signal }: WriteOptions): Promise<WriteResult> {
  return callWrite(client, { address: addresses.roles, abi: rolesAbi, functionName: 'startExit', args: [], signal })
}

/** Ends the exit. Errors: `ContractRefused` with reason `LockNotOver`. `spec/roles.md` 5 */
export async function finishExit(client: ChainClient, { addresses, signal }: WriteOptions): Promise<WriteResult> {
  return callWrite(client, { address: addresses.roles, abi: rolesAbi, functionName: 'finishExit', args: [], signal })
}
