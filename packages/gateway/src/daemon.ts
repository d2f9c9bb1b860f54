import { join } from 'node:path'
import {
  accountFromSecretKey,
  assertServes,
  connectNetwork,
  createCachedChain,
  createGasWatch,
  createStandingWatch,
  type GasOptions,
  type RpcProvider,
} from '@memo/chain'
import { type Address, createKeySigner, type UnitHasher } from '@memo/core'
import {
  createHttpTransport,
  createSystemClock,
  createSystemRandomness,
  createSystemTimers,
  ListenError,
  type Listener,
  lockDataDirectory,
  openSqliteIndexStore,
} from '@memo/platform'
import type { ChunkOpener, OrderPolicy, StorageMemory, StripeEncoder } from '@memo/sdk'
import type { ApplyLimits } from './apply/apply.ts'
import type { GatewayEventSink } from './events.ts'
import { type CheckpointOptions, createGateway, type GatewayQuotaOptions } from './gateway.ts'
import { listenAt } from './listen.ts'

/** How long what the chain said is believed. */
const CHAIN_CACHE_MS = 3_000
/** Requests under way get so long to end when the gateway stops. */
const DRAIN_MS = 30_000
const STORE_FILE = 'gateway.sqlite'

export type GatewayDaemonOptions = {
  /** Sessions and the table of objects; used by one process at a time. */
  readonly dataDir: string
  readonly rpcUrl: string
  /** Asked instead of the address: a chain in this process. */
  readonly rpcProvider?: RpcProvider | undefined
  readonly registry: Address
  /** Refuses any other chain. */
  readonly chainId?: number | undefined
  /** Of the gateway's account, an active User. */
  readonly secretKey: Uint8Array
  readonly host: string
  /** 0 takes any free one. */
  readonly port: number
  /** Listened on as well, where it is free. */
  readonly extraPort?: number | undefined
  /** Redundancy of new objects, such as `rs:4+2`. */
  readonly policy: string
  readonly quota?: GatewayQuotaOptions | undefined
  /** What strangers may ask for, and what it costs them. */
  readonly apply?: Partial<ApplyLimits> | undefined
  /** Whoever else wrote with the key does so no more. */
  readonly takeOver?: boolean | undefined
  /** When the chain is told what the gateway's logs hold. */
  readonly checkpoints?: CheckpointOptions | undefined
  /** How generously its account pays providers; `false`: not at all. */
  readonly orders?: Partial<OrderPolicy> | false | undefined
  /** How often a transaction is asked after; the chain client's own default where nothing is said. */
  readonly pollingIntervalMs?: number | undefined
  /** What its transactions may pay for gas; above that they wait, which is an event. */
  readonly gas?: GasOptions | undefined
  /** Extra facts for `GET /info`. */
  readonly about?: Readonly<Record<string, unknown>> | undefined
  /** Where stripes are sealed, coded and hashed; in this thread where nothing is said. */
  readonly encode?: StripeEncoder | undefined
  /** Where what is read is checked and opened; in this thread where nothing is said. */
  readonly hashUnits?: UnitHasher | undefined
  readonly openChunks?: ChunkOpener | undefined
  /** What all uploads and all downloads may hold in memory; they wait for it. */
  readonly memory?: StorageMemory | undefined
  /**
   * Does again what registered the account, each step only where the chain does not show it: called when the chain has
   * forgotten the account. Without it, an event and `GET /readyz` say what to do.
   */
  readonly registerAgain?: ((signal: AbortSignal) => Promise<void>) | undefined
  readonly onEvent?: GatewayEventSink | undefined
  /** Aborted to stop the gateway. */
  readonly signal: AbortSignal
  /** Requests under way get so long to end. Default 30 s. */
  readonly drainMs?: number | undefined
}

/**
 * Runs a gateway until `signal` is aborted; then it takes no more requests, ends those under way, and resolves. Tells
 * `ready` once it listens. Errors: those of connecting, of the role gate, of the data directory; {@link ListenError}.
 */
export async function runGatewayDaemon(options: GatewayDaemonOptions): Promise<void> {
  const { dataDir, rpcUrl, rpcProvider, registry, secretKey, host, port, signal } = options
  const log = options.onEvent ?? (() => undefined)
  const undo: (() => Promise<void> | void)[] = []
  try {
    const directory = await lockDataDirectory(dataDir, 'gateway')
    undo.push(() => directory.release())
    const clock = createSystemClock()
    const store = openSqliteIndexStore(join(dataDir, STORE_FILE))
    undo.push(async () => await store.close())
    const network = await connectNetwork({
      rpcUrl,
      journal: store,
      registry,
      chainId: options.chainId,
      provider: rpcProvider,
      account: accountFromSecretKey(secretKey),
      pollingIntervalMs: options.pollingIntervalMs,
      gas: { ...options.gas, watch: createGasWatch(log) },
    })
    const { address } = createKeySigner(secretKey)
    await assertServes(network, address, 'user')
    const { transport, close } = createHttpTransport()
    undo.push(close)
    const timers = createSystemTimers()
    const { registerAgain } = options
    const standing = createStandingWatch({ chain: network, timers, address, role: 'user', log, registerAgain })
    const gateway = await createGateway({
      ...options,
      findFault: standing.findFault,
      chain: createCachedChain(network, clock, CHAIN_CACHE_MS),
      contracts: network,
      transport,
      clock,
      timers,
      random: createSystemRandomness(),
      store,
    })
    undo.push(async () => await gateway.stop())
    const leaving = new AbortController()
    const watching = standing.run(leaving.signal).catch((thrown: unknown) => {
      if (leaving.signal.aborted) return // the way in which it ends
      const message = `the standing of ${address} is watched no more: ${thrown}`
      log({ type: 'watch-ended', level: 'error', message })
    })
    undo.push(async () => {
      leaving.abort()
      await watching
    })
    await gateway.start()
    const main = await listenAt(gateway.server, host, port)
    const listeners = [main, ...(await listenAlso(gateway.server, options, log))]
    const drainMs = options.drainMs ?? DRAIN_MS
    undo.push(async () => void (await Promise.all(listeners.map(async (listener) => await listener.close(drainMs)))))
    const urls = listeners.map((listener) => listener.url)
    log({
      type: 'ready',
      level: 'info',
      message: `the gateway serves at ${urls.join(' and ')}`,
      url: main.url,
      urls,
      address,
    })
    await aborted(signal)
    log({ type: 'stopping', level: 'info', message: 'the gateway ends what is under way' })
  } finally {
    await undoAll(undo.reverse())
  }
  log({ type: 'stopped', level: 'info', message: 'the gateway has stopped' })
}

/** Takes every step, whatever becomes of the others; then throws what the first failure was. */
async function undoAll(steps: readonly (() => Promise<void> | void)[]): Promise<void> {
  const failures: unknown[] = []
  for (const step of steps) {
    try {
      await step()
    } catch (thrown) {
      failures.push(thrown)
    }
  }
  if (failures.length > 0) throw failures[0]
}

/** The second listener, where its port is free. */
async function listenAlso(
  server: Parameters<typeof listenAt>[0],
  { host, port, extraPort }: GatewayDaemonOptions,
  log: GatewayEventSink,
): Promise<Listener[]> {
  if (extraPort === undefined || extraPort === port) return []
  try {
    return [await listenAt(server, host, extraPort)]
  } catch (thrown) {
    if (!(thrown instanceof ListenError)) throw thrown
    log({ type: 'extra-port-taken', level: 'warn', message: `the second port is left alone: ${thrown.message}` })
    return []
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
