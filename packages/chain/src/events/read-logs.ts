import { type AbiEvent, type Address, formatLog, type Hex, type Log, numberToHex, toEventSelector } from 'viem'
import type { ChainClient } from '../client/chain-client.ts'
import { isTransportFault } from '../client/revert.ts'

/** How many blocks one request covers to begin with: servers bound it, and an answer must fit in memory. */
export const LOG_RANGE_BLOCKS = 5_000n
/** Fewer than this no server refuses for their number. */
const MIN_RANGE_BLOCKS = 1_000n

export type LogFilter = {
  readonly address: Address | readonly Address[]
  readonly events: readonly AbiEvent[]
  /** Indexed arguments by their place, where only their logs are wanted; `null` where any will do. */
  readonly topics?: readonly (Hex | readonly Hex[] | null)[] | undefined
  readonly fromBlock: bigint
  readonly toBlock: bigint
}

/**
 * The logs of a stretch of blocks, range by range, in order. Ranges grow until the server, or the time that an answer may take,
 * refuses one, and become smaller than they began where it refuses those too.
 */
export async function* readLogs(client: ChainClient, filter: LogFilter): AsyncGenerator<Log[], void> {
  const { fromBlock, toBlock } = filter
  let range = LOG_RANGE_BLOCKS
  let grows = true
  for (let from = fromBlock; from <= toBlock; ) {
    const last = from + range - 1n < toBlock ? from + range - 1n : toBlock
    let logs: Log[]
    try {
      logs = await readRange(client, filter, from, last)
    } catch (error) {
      grows = false
      const isGrown = last - from >= LOG_RANGE_BLOCKS
      if (!isGrown && (isTransportFault(error) || last - from < MIN_RANGE_BLOCKS)) throw error
      range = isGrown ? LOG_RANGE_BLOCKS : (last - from + 1n) / 2n
      continue
    }
    yield logs
    from = last + 1n
    if (grows) range *= 2n
  }
}

async function readRange(client: ChainClient, filter: LogFilter, from: bigint, to: bigint): Promise<Log[]> {
  const { address, events, topics = [] } = filter
  const params = [
    {
      address: address as Address | Address[],
      topics: [events.map(toEventSelector), ...topics] as (Hex | Hex[] | null)[],
      fromBlock: numberToHex(from),
      toBlock: numberToHex(to),
    },
  ] as const
  const logs = await client.rpc.request({ method: 'eth_getLogs', params: [...params] })
  return logs.map((log) => formatLog(log) as Log)
}
