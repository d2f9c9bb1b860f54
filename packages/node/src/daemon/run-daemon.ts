import { join } from 'node:path'
import {
  accountFromSecretKey,
  assertServes,
  connectNetwork,
  createCachedChain,
  createGasWatch,
  createStandingWatch,
  type GasOptions,
  type MemoChain,
  type RpcProvider,
  type StandingWatch,
} from '@memo/chain'
import {
  type Account,
  type Address,
  type Chain,
  type Clock,
  createKeySigner,
  type Handler,
  type IndexStore,
  type Network,
  type Randomness,
  type Signer,
  type Timers,
} from '@memo/core'
import {
  createHttpTransport,
  createSystemClock,
  createSystemRandomness,
  createSystemTimers,
  lockDataDirectory,
  openFilePieceStore,
  openSqliteIndexStore,
  serveHandler,
} from '@memo/platform'
import { type EventSink, silent } from '../events.ts'
import { createKeeper } from '../keeper/keeper.ts'
import type { KeeperLimits } from '../keeper/limits.ts'
import type { ProviderLimits } from '../provider/limits.ts'
import { createProvider } from '../provider/provider.ts'
import { createBackground } from '../server/background.ts'
import type { NodeRole } from '../server/errors.ts'
import { createKeeperMoney } from './keeper-money.ts'
import { createProviderMoney } from './provider-money.ts'
import { withReadiness } from './readiness.ts'

export type NodeDaemonOptions = {
  /** Everything that the node keeps; used by one process at a time (`spec/data-directory.md` 1). */
  readonly dataDir: string
  readonly rpcUrl: string
  /** Asked instead of the address: a chain in this process. */
  readonly rpcProvider?: RpcProvider | undefined
  readonly registry: Address
  /** Refuses any other chain. */
  readonly chainId?: number | undefined
  /** Of the node's account. */
  readonly secretKey: Uint8Array
  readonly host: string
  /** 0 takes any free one. */
  readonly port: number
  /** Where others reach the node, when that is not where it listens. */
  readonly publicUrl?: string | undefined
  /** What its transactions may pay for gas; above that they wait, which is an event. */
  readonly gas?: GasOptions | undefined
  /**
   * Does again what registered the account, each step only where the chain does not show it: called when the chain has
   * forgotten the account. Without it, an event and `GET /readyz` say what to do.
   */
  readonly registerAgain?: ((signal: AbortSignal) => Promise<void>) | undefined
  readonly onEvent?: EventSink | undefined
  /** Aborted to stop the node. */
  readonly signal: AbortSignal
}

export type ProviderDaemonOptions = NodeDaemonOptions & { readonly limits?: Partial<ProviderLimits> | undefined }
export type KeeperDaemonOptions = NodeDaemonOptions & { readonly limits?: Partial<KeeperLimits> | undefined }

/** How long what the chain said is believed. */
const CHAIN_CACHE_MS = 3_000
const INDEX_FILE = 'index.sqlite'
const WILDCARD_HOSTS: readonly string[] = ['0.0.0.0', '::']

/** What both kinds of node are made from. */
type Edge = {
  readonly network: Network
  readonly chain: Chain
  /** The same, uncached and with the node's account. */
  readonly memo: MemoChain
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Randomness
  readonly signer: Signer
  readonly index: IndexStore
  readonly log: EventSink
}

type RunningNode = { readonly handler: Handler; start(): Promise<void>; stop(): Promise<void> }

/** Undoes one step of starting. */
type Undo = () => Promise<void> | void

/**
 * Runs a provider until `signal` is aborted; then it takes no more requests, ends those under way, and resolves. Tells
 * `ready` (with `url`, `address`, `pid`) once it serves. Errors: those of connecting, of the role gate, of the data
 * directory and its stores; ListenError.
 */
export async function runProviderDaemon(options: ProviderDaemonOptions): Promise<void> {
  await runDaemon('provider', options, async (edge, undo) => {
    const { transport, close } = createHttpTransport({ blame: 'keeper' })
    undo.push(close)
    const { log } = edge
    const onFault = (error: unknown) => {
      const message = `a damaged file was found: ${error instanceof Error ? error.message : String(error)}`
      log({ type: 'piece-unreadable', level: 'error', message })
    }
    const pieces = await openFilePieceStore(options.dataDir, { onFault })
    const money = createProviderMoney(edge.memo, edge.signer.address)
    return createProvider({ ...edge, transport, pieces, money, limits: options.limits })
  })
}

/** Runs a keeper; as {@link runProviderDaemon}. */
export async function runKeeperDaemon(options: KeeperDaemonOptions): Promise<void> {
  await runDaemon('keeper', options, async (edge, undo) => {
    const { transport, close } = createHttpTransport()
    undo.push(close)
    const fees = createKeeperMoney(edge.memo, edge.signer.address)
    return createKeeper({ ...edge, transport, fees, limits: options.limits })
  })
}

async function runDaemon(
  role: NodeRole,
  options: NodeDaemonOptions,
  create: (edge: Edge, undo: Undo[]) => Promise<RunningNode>,
): Promise<void> {
  const { dataDir, host, port, signal } = options
  const log = options.onEvent ?? silent
  const undo: Undo[] = []
  try {
    const directory = await lockDataDirectory(dataDir, role)
    undo.push(() => directory.release())
    const { edge, account } = await connect(role, options, log)
    const index = openSqliteIndexStore(join(dataDir, INDEX_FILE))
    undo.push(async () => await index.close())
    const node = await create({ ...edge, index }, undo)
    undo.push(async () => await node.stop())
    await node.start()
    const { address } = account
    const { memo, timers } = edge
    const standing: StandingWatch = createStandingWatch({ ...options, chain: memo, timers, address, role, log })
    const background = createBackground(log)
    background.run('the look at the standing', async (stop) => await standing.run(stop))
    undo.push(async () => await background.stop())
    const server = await serveHandler(withReadiness(node.handler, standing), { host, port })
    undo.push(async () => await server.close())
    const url = options.publicUrl ?? server.url
    warnOfOtherEndpoint(account, { url, host, port: server.port, isPublic: options.publicUrl !== undefined }, log)
    const message = `${role} ${account.address} serves at ${url}`
    log({ type: 'ready', level: 'info', message, role, url, address: account.address, pid: process.pid, dataDir })
    await aborted(signal)
    log({ type: 'stopping', level: 'info', message: `the ${role} ends what is under way` })
  } finally {
    await undoAll(undo.reverse())
  }
  log({ type: 'stopped', level: 'info', message: `the ${role} has stopped` })
}

/** The network, and this node's account on it. */
async function connect(
  role: NodeRole,
  { rpcUrl, rpcProvider, registry, chainId, secretKey, gas }: NodeDaemonOptions,
  log: EventSink,
): Promise<{ edge: Omit<Edge, 'index'>; account: Account }> {
  const chain = await connectNetwork({
    rpcUrl,
    registry,
    chainId,
    provider: rpcProvider,
    account: accountFromSecretKey(secretKey),
    gas: { ...gas, watch: createGasWatch(log) },
  })
  const signer = createKeySigner(secretKey)
  const account = await assertServes(chain, signer.address, role)
  const clock = createSystemClock()
  const edge = {
    network: chain.network,
    chain: createCachedChain(chain, clock, CHAIN_CACHE_MS),
    memo: chain,
    clock,
    timers: createSystemTimers(),
    random: createSystemRandomness(),
    signer,
    log,
  }
  return { edge, account }
}

/** Others find the node by the endpoint on the chain only: when it is another, nobody comes. */
function warnOfOtherEndpoint(
  { endpoint, role }: Account,
  served: { readonly url: string; readonly host: string; readonly port: number; readonly isPublic: boolean },
  log: EventSink,
): void {
  const isWildcard = WILDCARD_HOSTS.includes(served.host) && !served.isPublic
  const isSame = isWildcard ? portOf(endpoint) === served.port : endpoint === served.url.replace(/\/+$/, '')
  if (isSame) return
  const message = `the chain says that this ${role} is at ${endpoint || 'no address'}, and it serves at ${served.url}`
  const fix = `Run \`memo ${role} init\` with the address at which others reach it.`
  log({ type: 'endpoint-differs', level: 'warn', message, fix, endpoint, url: served.url })
}

function portOf(endpoint: string): number {
  const url = URL.parse(endpoint)
  return Number(url?.port || (url?.protocol === 'https:' ? 443 : 80))
}

/** Takes every step, whatever becomes of the others; then throws what the first failure was. */
async function undoAll(steps: readonly Undo[]): Promise<void> {
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

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
