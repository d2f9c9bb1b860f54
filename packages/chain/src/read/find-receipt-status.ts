import { TransactionReceiptNotFoundError } from 'viem'
import type { ChainClient } from '../client/chain-client.ts'
import { asMemoError } from '../client/revert.ts'

/** What became of a transaction; undefined while no block has it. */
export async function findReceiptStatus(
  client: ChainClient,
  hash: `0x${string}`,
): Promise<'success' | 'reverted' | undefined> {
  try {
    return (await client.rpc.getTransactionReceipt({ hash })).status
  } catch (error) {
    if (error instanceof TransactionReceiptNotFoundError) return undefined
    throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: 'show a receipt' })
  }
}
