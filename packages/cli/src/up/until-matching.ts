import {
  type Address,
  type ClientPorts,
  createKeeperClient,
  type KeeperClient,
  MemoError,
  type Network,
  parseErasurePolicy,
} from '@memo/core'
import { createHttpTransport, createSystemClock, createSystemRandomness, createSystemTimers } from '@memo/platform'
import type { Child } from './child.ts'

const POLL_MS = 150
/** Keepers look for providers again every few seconds; longer than this no machine needs, however busy. */
const TIMEOUT_MS = 60_000

/**
 * Waits until every keeper proposes as many providers as `policy` spreads a part over: only then can a file be put.
 * False when that takes too long; the network may still come to it.
 */
export async function untilMatching(
  network: Network,
  keepers: readonly Child[],
  policy: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { dataShards, parityShards } = parseErasurePolicy(policy)
  const { transport, close } = createHttpTransport({ blame: 'keeper' })
  const timers = createSystemTimers()
  const ports: ClientPorts = {
    network,
    transport,
    timers,
    clock: createSystemClock(),
    random: createSystemRandomness(),
  }
  const clients = keepers.map((keeper) => {
    return createKeeperClient(ports, { address: keeper.address() as Address, endpoint: keeper.url() })
  })
  const count = dataShards + parityShards
  const endMs = performance.now() + TIMEOUT_MS
  try {
    for (;;) {
      const proposals = await Promise.all(clients.map((client) => countProposed(client, count, signal)))
      if (proposals.every((proposed) => proposed >= count)) return true
      if (performance.now() > endMs) return false
      await timers.sleep(POLL_MS, signal)
    }
  } finally {
    await close()
  }
}

async function countProposed(keeper: KeeperClient, count: number, signal: AbortSignal): Promise<number> {
  try {
    return (await keeper.match({ count, pieceBytes: 1, exclude: [] }, { signal })).length
  } catch (error) {
    if (!(error instanceof MemoError) || signal.aborted) throw error
    return 0 // a keeper that was just started may be busy or be started again
  }
}
