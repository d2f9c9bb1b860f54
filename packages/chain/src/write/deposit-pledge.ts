import { pledgesAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import type { Addresses } from '../addresses.ts'
import { type ChainClient, requireSender } from '../client/chain-client.ts'
import { getPledge } from '../read/get-pledge.ts'
import { callWrite, type WriteResult } from './call.ts'
import { signPermit } from './permit.ts'

export type DepositPledgeOptions = {
  readonly addresses: Addresses
  readonly amountAtto: bigint
  /** Whose pledge it becomes. Default: the client's account. */
  readonly beneficiary?: Address | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Pledges MEMO of the client's account in one transaction, with a permit. `spec/roles.md` 6
 * Errors: `ContractRefused` with reason `ERC20InsufficientBalance`, `GroupFull`.
 */
export async function depositPledge(client: ChainClient, options: DepositPledgeOptions): Promise<WriteResult> {
  const { addresses, amountAtto, signal } = options
  const { from } = requireSender(client)
  const { deadline, v, r, s } = await signPermit(client, { addresses, spender: addresses.pledges, amountAtto })
  return callWrite(client, {
    address: addresses.pledges,
    abi: pledgesAbi,
    functionName: 'depositWithPermit',
    args: [options.beneficiary ?? from, amountAtto, deadline, v, r, s],
    signal,
  })
}

/**
 * Raises the pledge of the client's account to what is required, and does nothing where that is met. The same call
 * again after a crash never pledges twice.
 */
export async function ensurePledge(
  client: ChainClient,
  { addresses, signal }: { readonly addresses: Addresses; readonly signal?: AbortSignal | undefined },
): Promise<{ readonly pledgedAtto: bigint; readonly requiredAtto: bigint }> {
  const { from } = requireSender(client)
  const { pledgedAtto, requiredAtto } = await getPledge(client, { addresses, address: from })
  if (pledgedAtto >= requiredAtto) return { pledgedAtto, requiredAtto }
  await depositPledge(client, { addresses, amountAtto: requiredAtto - pledgedAtto, signal })
  return getPledge(client, { addresses, address: from })
}
