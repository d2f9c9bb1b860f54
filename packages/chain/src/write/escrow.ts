import { escrowAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import { type ChainClient, requireSender } from '../client/chain-client.ts'
import { callWrite, type WriteOptions, type WriteResult } from './call.ts'
import { signPermit } from './permit.ts'

/** Deposits MEMO of the client's account in one transaction, with a permit; by default for itself. `spec/orders.md` 1 */
export async function depositEscrow(
  client: ChainClient,
  {
    addresses,
    amountAtto,
    beneficiary,
    signal,
  }: WriteOptions & { readonly amountAtto: bigint; readonly beneficiary?: Address },
): Promise<WriteResult> {
  const { from } = requireSender(client)
  const { deadline, v, r, s } = await signPermit(client, { addresses, spender: addresses.escrow, amountAtto })
  return callWrite(client, {
    address: addresses.escrow,
    abi: escrowAbi,
    functionName: 'depositWithPermit',
    args: [beneficiary ?? from, amountAtto, deadline, v, r, s],
    signal,
  })
}

/** Withdraws free escrow of an account to its payee. Errors: `ContractRefused` with reason `EscrowTooSmall`, `NotPayee`. */
export async function withdrawEscrow(
  client: ChainClient,
  {
    addresses,
    amountAtto,
    account,
    signal,
  }: WriteOptions & { readonly amountAtto: bigint; readonly account?: Address },
): Promise<WriteResult> {
  const { from } = requireSender(client)
  return callWrite(client, {
    address: addresses.escrow,
    abi: escrowAbi,
    functionName: 'withdraw',
    args: [account ?? from, amountAtto],
    signal,
  })
}

/** Names who receives what an account withdraws; only the payee of now may. `spec/orders.md` 3 */
export async function setPayee(
  client: ChainClient,
  { addresses, account, payee, signal }: WriteOptions & { readonly account: Address; readonly payee: Address },
): Promise<WriteResult> {
  return callWrite(client, {
    address: addresses.escrow,
    abi: escrowAbi,
    functionName: 'setPayee',
    args: [account, payee],
    signal,
  })
}
