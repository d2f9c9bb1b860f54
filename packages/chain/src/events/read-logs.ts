import { type AbiEvent, type Address, encodeEventTopics, formatLog, type Hex, type Log, numberToHex } from 'viem'
import type { ChainClient } from '../client/chain-client.ts'

/** How many blocks one request covers: servers bound it, and an answer must fit in memory. */
export const LOG_RANGE_BLOCKS = 5_000n

export type LogFilter = {
  readonly address: Address | readonly Address[]
  readonly events: readonly AbiEvent[]
  /** The first indexed argument, where only its logs are wanted. */
  readonly firstTopic?: Hex | undefined
  readonly fromBlock: bigint
  readonly toBlock: bigint
}

/** The logs of a stretch of blocks, range by range, in order. */
export async function* readLogs(client: ChainClient, filter: LogFilter): AsyncGenerator<Log[], void> {
  const { address, events, firstTopic, fromBlock, toBlock } = filter
  const signatures = events.map((event) => encodeEventTopics({ abi: [event] })[0])
  const topics = firstTopic === undefined ? [signatures] : [signatures, firstTopic]
  for (let from = fromBlock; from <= toBlock; from += LOG_RANGE_BLOCKS) {
    const last = from + LOG_RANGE_BLOCKS - 1n
    const logs = await client.rpc.request({
      method: 'eth_getLogs',
      params: [
        {
          address: address as Address | Address[],
          topics: topics as Hex[][],
          fromBlock: numberToHex(from),
          toBlock: numberToHex(last < toBlock ? last : toBlock),
        },
      ],
    })
    yield logs.map((log) => formatLog(log) as Log)
  }
}
