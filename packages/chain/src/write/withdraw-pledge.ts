import { pledgesAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import { type ChainClient, requireSender } from '../client/chain-client.ts'
import { callWrite, type WriteOptions, type WriteResult } from './call.ts'

type Common = WriteOptions & {
  /** Whose pledge; the client is then its payee. Default: the client's account. */
  readonly account?: Address | undefined
}

/**
 * Announces a withdrawal; it replaces the last announcement. `spec/roles.md` 7
 * Errors: `ContractRefused` with reason `NotPayee`, `PledgeNotFree`.
 */
export async function announceWithdrawal(
  client: ChainClient,
  { amountAtto, ...common }: Common & { readonly amountAtto: bigint },
): Promise<WriteResult> {
  const { account, call } = pledgeOf(client, common)
  return callWrite(client, { ...call, functionName: 'announceWithdrawal', args: [account, amountAtto] })
}

/** Takes an announcement back, so that the pledge stays. Errors: `ContractRefused` with reason `NothingAnnounced`. */
export async function cancelWithdrawal(client: ChainClient, common: Common): Promise<WriteResult> {
  const { account, call } = pledgeOf(client, common)
  return callWrite(client, { ...call, functionName: 'cancelWithdrawal', args: [account] })
}

/** Pays what was announced to the payee. Errors: `ContractRefused` with reason `LockNotOver`, `PledgeNotFree`. */
export async function withdrawPledge(client: ChainClient, common: Common): Promise<WriteResult> {
  const { account, call } = pledgeOf(client, common)
  return callWrite(client, { ...call, functionName: 'withdraw', args: [account] })
}

function pledgeOf(client: ChainClient, { addresses, account, signal }: Common) {
  const { from } = requireSender(client)
  return { account: account ?? from, call: { address: addresses.pledges, abi: pledgesAbi, signal } as const }
}
