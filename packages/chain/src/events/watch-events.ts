import { MemoError } from '@memo/core'
import { type AbiEvent, type Address, type Hex, type Log, numberToHex } from 'viem'
import type { ChainClient } from '../client/chain-client.ts'
import { delay } from '../client/delay.ts'
import { RpcUnreachable } from '../client/errors.ts'
import { asMemoError } from '../client/revert.ts'
import { LOG_RANGE_BLOCKS, readLogs } from './read-logs.ts'

/** How far back a rewind is noticed and undone. Logs of so many blocks are kept in memory. */
export const MAX_REWIND_BLOCKS = 1_024n

export type WatchEventsOptions = {
  readonly address: Address | readonly Address[]
  readonly events: readonly AbiEvent[]
  readonly fromBlock: bigint
  /** How many blocks must stand above a log before it is given out. Default 0. */
  readonly confirmations?: number | undefined
  /** Default: the client's. */
  readonly pollingIntervalMs?: number | undefined
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal | undefined
  /** Told when the chain does not answer; the watch goes on. */
  readonly onTrouble?: ((error: RpcUnreachable) => void) | undefined
}

/** A log; `removed` takes back one that was given out before the chain rewound. */
export type WatchedLog = { readonly log: Log; readonly removed: boolean }

/** The chain rewound further than logs are remembered. */
export class RewindTooDeep extends MemoError {
  override readonly name = 'RewindTooDeep'
  constructor(block: bigint) {
    super(`the chain rewound by more than ${MAX_REWIND_BLOCKS} blocks, below block ${block}`, {
      blame: 'chain',
      retry: 'never',
      fix: 'Drop what was read from events and read them again from the start.',
      details: { block: String(block) },
    })
  }
}

/** A stretch of blocks that was given out, with the hash of its last block. */
type Stretch = { readonly first: bigint; readonly last: bigint; readonly hash: Hex; readonly logs: readonly Log[] }

/**
 * Gives out logs in order and for ever, and takes back those of blocks that the chain dropped, newest first, before
 * it goes on. Errors: {@link RewindTooDeep}, `RpcRefused`.
 */
export async function* watchEvents(client: ChainClient, options: WatchEventsOptions): AsyncGenerator<WatchedLog, void> {
  const { fromBlock, signal, pollingIntervalMs = client.rpc.pollingInterval } = options
  const stretches: Stretch[] = []
  while (!signal?.aborted) {
    const newest = stretches.at(-1)
    const step = await survive(client, options, async () => {
      if (newest !== undefined && !(await stands(client, newest))) return 'rewind'
      return findStretch(client, options, newest === undefined ? fromBlock : newest.last + 1n)
    })
    if (step === 'rewind' && newest !== undefined) {
      if (stretches.length === 1 && newest.first > fromBlock) throw new RewindTooDeep(newest.first)
      stretches.pop()
      for (const log of newest.logs.toReversed()) yield { log, removed: true }
    } else if (typeof step === 'object') {
      stretches.push(step)
      while (stretches[0] !== undefined && stretches[0].last + MAX_REWIND_BLOCKS < step.last) stretches.shift()
      for (const log of step.logs) yield { log, removed: false }
    } else {
      await pause(pollingIntervalMs, signal)
    }
  }
}

/** The next stretch, or undefined while there is none, or while the chain moves under the reader. */
async function findStretch(
  client: ChainClient,
  { address, events, confirmations = 0 }: WatchEventsOptions,
  first: bigint,
): Promise<Stretch | undefined> {
  const head = (await client.rpc.getBlockNumber()) - BigInt(confirmations)
  if (head < first) return undefined
  const end = first + LOG_RANGE_BLOCKS - 1n
  const last = end < head ? end : head
  const hash = await findBlockHash(client, last)
  if (hash === undefined) return undefined
  const logs: Log[] = []
  const stretch = { first, last, hash, logs }
  try {
    for await (const page of readLogs(client, { address, events, fromBlock: first, toBlock: last })) logs.push(...page)
  } catch (error) {
    // Some chains refuse to read beyond their head, which was further when it was asked for.
    if (await stands(client, stretch)) throw error
    return undefined
  }
  return (await stands(client, stretch)) ? stretch : undefined
}

async function stands(client: ChainClient, { last, hash }: Stretch): Promise<boolean> {
  return (await findBlockHash(client, last)) === hash
}

async function findBlockHash(client: ChainClient, blockNumber: bigint): Promise<Hex | undefined> {
  const block = await client.rpc.request({
    method: 'eth_getBlockByNumber',
    params: [numberToHex(blockNumber), false],
  })
  return block?.hash ?? undefined
}

/** Runs a step; while nobody answers, there is none. */
async function survive<T>(
  client: ChainClient,
  { onTrouble }: WatchEventsOptions,
  run: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await run()
  } catch (error) {
    const known = asMemoError(error, { rpcUrl: client.rpcUrl, doing: 'give logs' })
    if (!(known instanceof RpcUnreachable)) throw known
    onTrouble?.(known)
    return undefined
  }
}

/** Waits, and returns early when the watch is ended. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(ms, signal)
  } catch (error) {
    if (!signal?.aborted) throw error
  }
}
