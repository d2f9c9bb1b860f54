import type { ChainClient } from '../client/chain-client.ts'
import { asMemoError } from '../client/revert.ts'

/** A block, the newest where none is named: its number and its time in seconds since 1970. */
export async function getBlock(
  client: ChainClient,
  blockNumber?: number,
): Promise<{ readonly number: number; readonly timestamp: number }> {
  try {
    const which = blockNumber === undefined ? {} : { blockNumber: BigInt(blockNumber) }
    const { number, timestamp } = await client.rpc.getBlock(which)
    return { number: Number(number), timestamp: Number(timestamp) }
  } catch (error) {
    throw asMemoError(error, {
      rpcUrl: client.rpcUrl,
      doing: `give ${blockNumber === undefined ? 'its newest block' : `block ${blockNumber}`}`,
    })
  }
}
