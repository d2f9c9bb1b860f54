import type { Clock } from './chain.ts'
import { BadOptionError, type ChainStoppedError } from './errors.ts'
import type { GenesisAlloc } from './genesis.ts'
import { type HttpServer, listenHttp } from './http.ts'
import { Miner, type Mining } from './miner.ts'
import { openChain } from './open-chain.ts'
import { dispatch } from './rpc/dispatch.ts'
import { Filters } from './rpc/filters.ts'

const DEFAULT_CHAIN_ID = 985
const DEFAULT_HOST = '127.0.0.1'

/** The shortest and longest time between blocks by timer. */
const INTERVAL_LIMITS_MS: { readonly min: number; readonly max: number } = { min: 10, max: 3_600_000 }

/** What {@link createDevnet} takes. */
export type DevnetOptions = {
  /** The directory of a durable chain; absent, the chain lives in memory. */
  readonly dataDir?: string
  /** 985 when absent. */
  readonly chainId?: number
  /** Balances in wei at the first block. Opening a directory again takes the same ones. */
  readonly genesisAlloc: GenesisAlloc
  /** Seconds since 1970; the clock's when absent. */
  readonly genesisTimestamp?: number
  /** Gas per block; 30 million when absent. */
  readonly blockGasLimit?: number
  /** The system's when absent. */
  readonly clock?: Clock
  /** `{ mode: 'auto' }` when absent. */
  readonly mining?: Mining
  /** An empty block when none was mined for so long; none when absent. */
  readonly heartbeatMs?: number
  readonly hardfork?: 'prague'
  /** Called once when a block could not be stored. From then on every call is refused. */
  readonly onStopped?: (error: ChainStoppedError) => void
}

/** A running chain. */
export type Devnet = {
  readonly chainId: number
  /** EIP-1193: `custom(devnet)` is a viem transport. Rejects with an {@link RpcError}. */
  request(call: { readonly method: string; readonly params?: unknown }): Promise<unknown>
  /** Serves JSON-RPC over HTTP; port 0 takes a free one. Throws a {@link ListenError}. */
  listen(options: { readonly host?: string; readonly port: number }): Promise<HttpServer>
  /** Mines blocks, empty if nothing waits. */
  mine(count?: number): Promise<void>
  /** Moves chain time ahead, from the next block on. */
  increaseTime(seconds: number): Promise<void>
  /** Stops servers and mining, and lets go of the directory. A second call changes nothing. */
  close(): Promise<void>
}

/**
 * Opens or begins an EVM chain at the Prague hard fork (`spec/devnet.md`).
 *
 * @throws {BadOptionError} {@link DirectoryInUseError} {@link StoreMismatchError}
 *
 * @example
 * ```ts
 * const devnet = await createDevnet({ genesisAlloc: { [account.address]: parseEther('100') } })
 * const client = createPublicClient({ transport: custom(devnet) })
 * ```
 */
export async function createDevnet(options: DevnetOptions): Promise<Devnet> {
  const mining = options.mining ?? { mode: 'auto' }
  assertTiming(mining, options.heartbeatMs)
  const chainId = options.chainId ?? DEFAULT_CHAIN_ID
  const chain = await openChain({
    dataDir: options.dataDir,
    chainId,
    genesisAlloc: options.genesisAlloc,
    genesisTimestamp: options.genesisTimestamp,
    blockGasLimit: options.blockGasLimit,
    clock: options.clock ?? { nowMs: () => Date.now() },
    onStopped: options.onStopped ?? (() => undefined),
  })
  const miner = new Miner(chain, mining, options.heartbeatMs)
  const context = { chain, miner, filters: new Filters() }
  const call = (method: string, params: unknown): Promise<unknown> => dispatch(context, method, params)
  const servers = new Set<HttpServer>()
  let closing: Promise<void> | undefined
  miner.start()

  return {
    chainId,
    request: ({ method, params }) => call(method, params),
    listen: async ({ host = DEFAULT_HOST, port }) => {
      const server = await listenHttp(call, host, port)
      servers.add(server)
      return server
    },
    mine: async (count = 1) => {
      for (let mined = 0; mined < count; mined += 1) await call('evm_mine', [])
    },
    increaseTime: async (seconds) => {
      await call('evm_increaseTime', [seconds])
    },
    close: () => {
      closing ??= (async () => {
        await Promise.all([...servers].map((server) => server.close()))
        await miner.stop()
        await chain.close()
      })()
      return closing
    },
  }
}

function assertTiming(mining: Mining, heartbeatMs: number | undefined): void {
  const { min, max } = INTERVAL_LIMITS_MS
  const times = [heartbeatMs, mining.mode === 'interval' ? mining.ms : undefined]
  for (const ms of times) {
    if (ms !== undefined && !(ms >= min && ms <= max)) {
      throw new BadOptionError(`a block time of ${ms} ms is not between ${min} and ${max} ms`)
    }
  }
}
