import type { PublicClient } from 'viem'
import { delay } from './delay.ts'
import { RpcBehind } from './errors.ts'

/** How long after a write what is read must be at least as new: endpoints behind one address lag by seconds. */
const FRESH_MS = 30_000
/** How long an endpoint may take to catch up. A chain that went back never does. */
const PATIENCE_MS = 3_000

/** What this client has seen of the chain by its own writes, so that nothing older is taken for the truth. */
export type Horizon = {
  /** The write signed as the `order`-th came into this block. A later one in an earlier block: the chain has rewound. */
  saw(block: bigint, order: number): void
  /**
   * Answers `ask` from a block that is not older than the last write; `ask` gets the block to ask for, or undefined where
   * any will do. Errors: {@link RpcBehind} once, after which older answers count again, for the chain may have rewound.
   */
  read<Value>(ask: (blockNumber: bigint | undefined) => Promise<Value>): Promise<Value>
  /** The same without a question: whether the endpoint has caught up in time. */
  isReached(): Promise<boolean>
}

export function createHorizon(rpc: PublicClient, pollingIntervalMs: number, patienceMs: number = PATIENCE_MS): Horizon {
  let newest: { readonly block: bigint; readonly order: number; readonly seenMs: number } | undefined

  function floor(): bigint | undefined {
    if (newest !== undefined && performance.now() - newest.seenMs > FRESH_MS) newest = undefined
    return newest?.block
  }

  async function read<Value>(ask: (blockNumber: bigint | undefined) => Promise<Value>): Promise<Value> {
    const untilMs = performance.now() + patienceMs
    for (;;) {
      const least = floor()
      if (least === undefined) return await ask(undefined)
      const height = await rpc.getBlockNumber()
      if (height >= least) {
        // Behind one address each request may meet another machine: the block is named, so that whoever lacks it says so.
        try {
          return await ask(height)
        } catch (error) {
          if (!isUnknownBlock(error) || performance.now() > untilMs) throw error
        }
      } else if (performance.now() > untilMs) {
        newest = undefined
        throw new RpcBehind(height, least)
      }
      await delay(pollingIntervalMs)
    }
  }

  return {
    saw(block, order) {
      if (newest !== undefined && order < newest.order && block < newest.block) return
      newest = { block, order, seenMs: performance.now() }
    },
    read,
    async isReached() {
      try {
        await read(async () => undefined)
        return true
      } catch (error) {
        if (error instanceof RpcBehind) return false
        throw error
      }
    },
  }
}

function isUnknownBlock(error: unknown): boolean {
  return /header not found|unknown block|block not found|block.*out ?of ?range|missing trie node/i.test(String(error))
}
