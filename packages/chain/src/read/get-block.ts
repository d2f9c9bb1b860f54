import type { ChainClient } from '../client/chain-client.ts'
import { asMemoError } from '../client/revert.ts'

/** The newest block: its number and its time in seconds since 1970. */
export async function getBlock(client: ChainClient): Promise<{ readonly number: number; readonly timestamp: number }> {
  try {
    const { number, timestamp } = await client.rpc.getBlock()
    return { number: Number(number), timestamp: Number(timestamp) }
  } catch (error) {
    throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: 'give its newest block' })
  }
}
