import {
  type Abi,
  type Address,
  type ContractFunctionArgs,
  type ContractFunctionName,
  type EncodeFunctionDataParameters,
  encodeFunctionData,
  type TransactionReceipt,
} from 'viem'
import type { Addresses } from '../addresses.ts'
import { type ChainClient, requireSender } from '../client/chain-client.ts'

/** What every action that writes takes. */
export type WriteOptions = { readonly addresses: Addresses; readonly signal?: AbortSignal | undefined }

/** What every action that writes resolves with. */
export type WriteResult = {
  readonly hash: `0x${string}`
  readonly blockNumber: number
}

export type WriteCall<abi extends Abi, name extends ContractFunctionName<abi, 'nonpayable' | 'payable'>> = {
  readonly address: Address
  readonly abi: abi
  readonly functionName: name
  readonly args: ContractFunctionArgs<abi, 'nonpayable' | 'payable', name>
  readonly signal?: AbortSignal | undefined
}

/** Calls a function that writes and waits for the block. Errors: those of `Sender.send`, `AccountMissing`. */
export async function callWrite<
  const abi extends Abi,
  name extends ContractFunctionName<abi, 'nonpayable' | 'payable'>,
>(client: ChainClient, call: WriteCall<abi, name>): Promise<WriteResult> {
  return resultFromReceipt(await callForReceipt(client, call))
}

/** The same, for who needs the events. */
export async function callForReceipt<
  const abi extends Abi,
  name extends ContractFunctionName<abi, 'nonpayable' | 'payable'>,
>(client: ChainClient, call: WriteCall<abi, name>): Promise<TransactionReceipt> {
  const { sender } = requireSender(client)
  const { abi, functionName, args } = call
  const data = encodeFunctionData({ abi, functionName, args } as unknown as EncodeFunctionDataParameters)
  return sender.send({ to: call.address, data, signal: call.signal })
}

export function resultFromReceipt(receipt: TransactionReceipt): WriteResult {
  return { hash: receipt.transactionHash, blockNumber: Number(receipt.blockNumber) }
}
