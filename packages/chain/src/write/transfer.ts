import { memoTokenAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import type { Addresses } from '../addresses.ts'
import { type ChainClient, requireSender } from '../client/chain-client.ts'
import { getGasBalance, getMemoBalance } from '../read/get-balance.ts'
import { callWrite, resultFromReceipt, type WriteResult } from './call.ts'

export type TransferOptions = {
  readonly addresses: Addresses
  readonly to: Address
  readonly amountAtto: bigint
  readonly signal?: AbortSignal | undefined
}

/** Sends MEMO of the client's account. */
export async function transferMemo(client: ChainClient, options: TransferOptions): Promise<WriteResult> {
  const { addresses, to, amountAtto, signal } = options
  return callWrite(client, {
    address: addresses.memoToken,
    abi: memoTokenAbi,
    functionName: 'transfer',
    args: [to, amountAtto],
    signal,
  })
}

/** Sends the chain's own coin, which pays for gas, in wei. */
export async function transferGas(
  client: ChainClient,
  { to, amountWei, signal }: { readonly to: Address; readonly amountWei: bigint; readonly signal?: AbortSignal },
): Promise<WriteResult> {
  const { sender } = requireSender(client)
  return resultFromReceipt(await sender.send({ to, data: '0x', value: amountWei, signal }))
}

export type EnsureFundsOptions = {
  readonly addresses: Addresses
  readonly to: Address
  readonly memoAtto: bigint
  readonly gasWei: bigint
  readonly signal?: AbortSignal
}

/** Tops an address up to at least these balances; where it has them, nothing is sent. */
export async function ensureFunds(client: ChainClient, options: EnsureFundsOptions): Promise<void> {
  const { addresses, to, memoAtto, gasWei, signal } = options
  const hasGas = await getGasBalance(client, { address: to })
  if (hasGas < gasWei) await transferGas(client, { to, amountWei: gasWei - hasGas, ...(signal && { signal }) })
  const hasMemo = await getMemoBalance(client, { addresses, address: to })
  if (hasMemo < memoAtto) await transferMemo(client, { addresses, to, amountAtto: memoAtto - hasMemo, signal })
}
