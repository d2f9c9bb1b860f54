import { type MemoChain, RpcUnreachable } from '@memo/chain'
import { asking } from './rpc.ts'

/** Servers bound how many blocks one request covers; fewer than this none refuses. */
const MIN_RANGE_BLOCKS = 1_000n

/**
 * All events that `read` gives for stretches of blocks, from the first block to the newest: at once where the server
 * takes it, else in halves. Errors: RpcUnreachable, RpcRefused.
 */
export async function readEvents<T>(
  { client }: MemoChain,
  read: (fromBlock: bigint, toBlock: bigint) => Promise<readonly T[]>,
): Promise<T[]> {
  const newest = await asking(client, 'eth_blockNumber', async () => await client.rpc.getBlockNumber())
  const readRange = async (from: bigint, to: bigint): Promise<T[]> => {
    try {
      return [...(await asking(client, 'eth_getLogs', async () => await read(from, to)))]
    } catch (error) {
      if (error instanceof RpcUnreachable || to - from < MIN_RANGE_BLOCKS) throw error
      const middle = (from + to) / 2n
      return [...(await readRange(from, middle)), ...(await readRange(middle + 1n, to))]
    }
  }
  return await readRange(0n, newest)
}
