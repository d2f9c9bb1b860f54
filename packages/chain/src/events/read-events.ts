import {
  type Abi,
  type AbiEvent,
  type Address,
  type ContractEventArgs,
  type ContractEventName,
  encodeEventTopics,
  type Hex,
  type ParseEventLogsParameters,
  type ParseEventLogsReturnType,
  parseEventLogs,
} from 'viem'
import type { ChainClient } from '../client/chain-client.ts'
import { asMemoError } from '../client/revert.ts'
import { readLogs } from './read-logs.ts'

/** Events that are asked for. */
type EventQuery<abi extends Abi, name extends ContractEventName<abi>> = {
  readonly address: Address | readonly Address[]
  readonly abi: abi
  readonly names: readonly name[]
  /** Values of indexed arguments, which all of these events have in the same places. */
  readonly args?: ContractEventArgs<abi, name>
  /** Default: the first block. */
  readonly fromBlock?: bigint
  /** Default: the newest block. */
  readonly toBlock?: bigint
}

/** Events as they are read, with their arguments and their block. */
export type EventOf<abi extends Abi, name extends ContractEventName<abi>> = ParseEventLogsReturnType<
  abi,
  name,
  true
>[number]

/**
 * Events of contracts in the order in which they happened. What the endpoint gives beyond the question is left out. Errors:
 * RpcUnreachable, RpcRefused.
 */
export async function* readEvents<const abi extends Abi, const name extends ContractEventName<abi>>(
  client: ChainClient,
  { address, abi, names, args, fromBlock = 0n, toBlock }: EventQuery<abi, name>,
): AsyncGenerator<EventOf<abi, name>, void> {
  const events = abi.filter((item): item is AbiEvent => item.type === 'event' && isOneOf(names, item.name))
  const [, ...topics] = encodeEventTopics({ abi: events.slice(0, 1), args } as never) as (Hex | null)[]
  // A place that may hold anything must still be there, and not all of these events have as many.
  while (topics.length > 0 && (topics.at(-1) ?? null) === null) topics.pop()
  try {
    const last = toBlock ?? (await client.rpc.getBlockNumber({ cacheTime: 0 }))
    for await (const logs of readLogs(client, { address, events, topics, fromBlock, toBlock: last })) {
      const query = { abi: events, args, logs } as unknown as ParseEventLogsParameters<abi, name, true>
      yield* parseEventLogs<abi, true, name>(query) as EventOf<abi, name>[]
    }
  } catch (error) {
    throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: `list the events ${names.join(', ')}` })
  }
}

function isOneOf(names: readonly string[], name: string): boolean {
  return names.includes(name)
}
