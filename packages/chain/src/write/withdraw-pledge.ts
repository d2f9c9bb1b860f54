import { pledgesAbi } from '@memo/contracts'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { callWrite, type WriteResult } from './call.ts'

type Common = { readonly addresses: Addresses; readonly signal?: AbortSignal | undefined }

/** Announces a withdrawal; it replaces the last announcement. `spec/roles.md` 7 */
export async function announceWithdrawal(
  client: ChainClient,
  { addresses, amountAtto, signal }: Common & { readonly amountAtto: bigint },
): Promise<WriteResult> {
  return callWrite(client, {
    address: addresses.pledges,
    abi: pledgesAbi,
    functionName: 'announceWithdrawal',
    args: [amountAtto],
    signal,
  })
}

/** Takes back what was announced. Errors: `ContractRefused` with reason `LockNotOver`, `PledgeNotFree`. */
export async function withdrawPledge(client: ChainClient, { addresses, signal }: Common): Promise<WriteResult> {
  return callWrite(client, { address: addresses.pledges, abi: pledgesAbi, functionName: 'withdraw', args: [], signal })
}
