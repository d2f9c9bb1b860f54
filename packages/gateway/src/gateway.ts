import { createCheckpointChain, type MemoChain } from '@memo/chain'
import {
  type Chain,
  type Clock,
  createKeySigner,
  type IndexStore,
  MemoError,
  type Randomness,
  type Timers,
  type Transport,
  type UnitHasher,
} from '@memo/core'
import { type MemoDid, parseMemoDid } from '@memo/did'
import {
  type ChunkOpener,
  createStorage,
  type OrderPolicy,
  type StorageLimits,
  type StorageMemory,
  type StripeEncoder,
} from '@memo/sdk'
import type { FastifyInstance } from 'fastify'
import { type ApplyLimits, createApply, DEFAULT_APPLY } from './apply/apply.ts'
import { createSessions } from './auth/sessions.ts'
import { createBackground } from './background.ts'
import { openChangedLogs } from './checkpoint/changed-logs.ts'
import { type CheckpointPolicy, createCheckpointer, DEFAULT_CHECKPOINT_POLICY } from './checkpoint/checkpointer.ts'
import type { GatewayContext } from './context.ts'
import { DEFAULT_ENDED_POLICY, type EndedQuotaPolicy, runEndedQuota } from './ended-quota.ts'
import { ApiError } from './errors.ts'
import type { GatewayEventSink } from './events.ts'
import { openInstance } from './instance/instance.ts'
import { createLogWatch } from './instance/log-watch.ts'
import { openOrders } from './open-orders.ts'
import { runOrphanSweep } from './orphan-sweep.ts'
import { type CashPolicy, createCashier, DEFAULT_CASH_POLICY } from './quota/cashier.ts'
import { createMarket } from './quota/market.ts'
import { createPublicReads } from './quota/public-reads.ts'
import { createQuota, type QuotaLimits } from './quota/quota.ts'
import { createReadiness } from './readiness.ts'
import { restoreTable } from './restore.ts'
import { createServer } from './server.ts'
import { openSignedRequests } from './signed-requests.ts'
import { openObjectTable } from './store/objects.ts'
import { createTurnstile } from './turnstile.ts'

/** What everybody may store and read for nothing where nothing else is said. */
const DEFAULT_TRIAL: QuotaLimits = { trialSpaceBytes: 104_857_600, trialTrafficBytes: 1_073_741_824 }
/** What is read of public objects in an hour where nobody pays for it: the operator’s escrow does. */
const PUBLIC_READ_BYTES_PER_HOUR = 64 * 2 ** 30
/** Each holds the beginning of its object; what else it holds comes out of the budget that all share. */
const MAX_UPLOADS = 64
const MAX_WAITING_UPLOADS = 256
const RESTORE_RETRY_MS = 3_000
/** How often it looks whether another one writes with its key. */
const WATCH_MS = 300_000
const DAY_MS = 86_400_000
const READING = 'the gateway is still reading its records from the keepers'

/** When checkpoints are written, and what they may cost; defaults where nothing is said. */
export type CheckpointOptions = { readonly [Name in keyof CheckpointPolicy]?: CheckpointPolicy[Name] | undefined }

/** Who may store and read how much, and who decides. */
export type GatewayQuotaOptions = Partial<QuotaLimits> &
  Partial<CashPolicy> &
  Partial<EndedQuotaPolicy> & {
    /** Reads of public objects are charged to their owner's traffic; nobody pays for them by default. */
    readonly chargePublicReads?: boolean | undefined
    /** Otherwise so many bytes of them are read in an hour, a quarter of that of one object. Default 64 GiB. */
    readonly publicReadBytesPerHour?: number | undefined
    /** DIDs that may cash vouchers and decide about applications, beside the gateway's account and granters. */
    readonly adminDids?: readonly string[] | undefined
  }

export type GatewayOptions = {
  readonly chain: Chain
  /** The same network with the gateway's account as its sender: where quota is bought and vouchers are cashed. */
  readonly contracts: MemoChain
  readonly quota?: GatewayQuotaOptions | undefined
  /** What strangers may ask for, and what it costs them. */
  readonly apply?: Partial<ApplyLimits> | undefined
  /** Whoever else wrote with the key does so no more: this one reads what there is, and goes on alone. */
  readonly takeOver?: boolean | undefined
  /** How often it looks whether another one writes with its key. Default 5 minutes. */
  readonly watchMs?: number | undefined
  /** When the chain is told what the gateway's logs hold. */
  readonly checkpoints?: CheckpointOptions | undefined
  readonly transport: Transport
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Randomness
  /** Sessions and the table of objects; opened and closed by the caller, and used by one gateway at a time. */
  readonly store: IndexStore
  /** Of the gateway's account, an active User. */
  readonly secretKey: Uint8Array
  /** Redundancy of new objects, such as `rs:4+2`. */
  readonly policy: string
  /** Where stripes are sealed, coded and hashed; in this thread where nothing is said. */
  readonly encode?: StripeEncoder | undefined
  /** Where what is read is checked and opened; in this thread where nothing is said. */
  readonly hashUnits?: UnitHasher | undefined
  readonly openChunks?: ChunkOpener | undefined
  /** What all uploads and all downloads may hold in memory; they wait for it. */
  readonly memory?: StorageMemory | undefined
  readonly limits?: Partial<StorageLimits> | undefined
  /** How generously its account pays providers; `false`: not at all, where providers take that. */
  readonly orders?: Partial<OrderPolicy> | false | undefined
  /** What uploads that were cut off have stored under orders is kept for so long. Default 24 hours. */
  readonly orphanGraceMs?: number | undefined
  /** Extra facts for `GET /info`. */
  readonly about?: Readonly<Record<string, unknown>> | undefined
  /** What else keeps it from serving, for `GET /readyz`. */
  readonly findFault?: (() => string | undefined) | undefined
  readonly onEvent?: GatewayEventSink | undefined
}

/** The middleware over ports (`spec/gateway.md`). */
export type Gateway = {
  /** Routes requests; listens nowhere by itself. */
  readonly server: FastifyInstance
  /** Begins to read what keepers know of this gateway's objects; until that is done, objects answer 503. */
  start(): Promise<void>
  /** Ends what goes on beside the requests; those under way are the caller's to wait for. */
  stop(): Promise<void>
}

/** Makes a gateway; it asks nobody for anything before `start`. Errors: BadDidError for an administrator who is none. */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const { chain, transport, clock, timers, random, store, secretKey, policy, onEvent: log = () => undefined } = options
  const signer = createKeySigner(secretKey)
  const { hashUnits } = options
  const ports = { network: chain.network, transport, clock, timers, random, signer, hashUnits }
  const reader = { publicKey: signer.publicKey, secretKey }
  const changed = await openChangedLogs(store, clock)
  const objects = await openObjectTable(store, secretKey, random, changed.note)
  const paying = { ports, chain, contracts: options.contracts, store, log }
  const orders = options.orders === false ? undefined : openOrders({ ...paying, policy: options.orders })
  const engine = createStorage({
    ports,
    chain,
    reader,
    orders,
    encode: options.encode,
    openChunks: options.openChunks,
    memory: options.memory,
    limits: options.limits,
    store,
    checkpoints: createCheckpointChain(options.contracts),
    onFault: (fault) => log({ type: 'node-fault', level: 'warn', ...fault }),
  })
  const stopping = new AbortController()
  const nowMs = () => clock.nowMs()
  const market = createMarket(options.contracts, signer.address, clock)
  const limits = { ...DEFAULT_TRIAL, ...defined(options.quota) }
  const quota = await createQuota({ store, market, random, nowMs, limits })
  const policyOfCash = { ...DEFAULT_CASH_POLICY, ...defined(options.quota) }
  const isAlone = () => instance.conflict === undefined
  const cashier = createCashier({ ...quota, timers, nowMs, policy: policyOfCash, mayCash: isAlone, log })
  const background = createBackground(log)
  const instance = await openInstance(store, { random, clock }, options.takeOver === true)
  // What another one wrote meanwhile is read from the keepers.
  if (options.takeOver) await objects.setIncomplete()
  const watched = { storage: engine, store, ports, chain, account: signer.address, instance, log }
  const watchMs = options.watchMs ?? WATCH_MS
  const watch = createLogWatch({ ...watched, watchMs, background: background.begin })
  const { storage } = watch
  let isComplete = false
  let unsettled: ReadonlySet<MemoDid> = new Set()
  let restoring: Promise<void> | undefined
  let cashing: Promise<void> | undefined
  let watching: Promise<void> | undefined
  let checkpointing: Promise<void> | undefined
  let sweeping: Promise<void> | undefined
  let ending: Promise<void> | undefined

  const restore = async () => {
    for (;;) {
      try {
        const logs = await restoreTable({ ports, chain, storage, objects, account: signer.address }, stopping.signal)
        await quota.recover(async (id) => (await objects.findById(id)) !== undefined)
        isComplete = true
        unsettled = new Set()
        log({ type: 'table-restored', level: 'info', message: `the table of objects is complete (${logs} logs read)` })
        return
      } catch (thrown) {
        if (stopping.signal.aborted) return
        if (!(thrown instanceof MemoError)) throw thrown
        const message = `the table of objects cannot be completed yet: ${thrown.message}`
        log({ type: 'restore-waits', level: 'warn', message, error: thrown.name })
      }
      try {
        await timers.sleep(RESTORE_RETRY_MS, stopping.signal)
      } catch {
        return // stopped while it waited
      }
    }
  }
  const findOwnFault = () =>
    options.findFault?.() ?? watch.findFault() ?? (isComplete ? undefined : `gateway: ${READING}`)
  const context: GatewayContext = {
    sessions: createSessions({ chain, clock, store }),
    objects,
    storage,
    orders,
    chain,
    readiness: createReadiness(ports, chain, policy, findOwnFault),
    quota,
    cashier,
    contracts: options.contracts,
    apply: createApply({
      store,
      clock,
      turns: quota.turns,
      chainId: chain.network.chainId,
      account: signer.address,
      limits: { ...DEFAULT_APPLY, ...defined(options.apply) },
    }),
    requests: await openSignedRequests(store, { network: chain.network, audience: signer.address, clock }),
    adminDids: new Set(options.quota?.adminDids?.map(parseMemoDid)),
    isPublicReadCharged: options.quota?.chargePublicReads ?? false,
    publicReads: createPublicReads({
      nowMs,
      bytesPerHour: options.quota?.publicReadBytesPerHour ?? PUBLIC_READ_BYTES_PER_HOUR,
    }),
    uploads: createTurnstile({ running: MAX_UPLOADS, waiting: MAX_WAITING_UPLOADS }),
    account: signer.address,
    publicKey: signer.publicKey,
    policy,
    about: { network: chain.network, instance: instance.id, ...options.about },
    assertAlone: watch.assertAlone,
    log,
    background: background.begin,
    assertRestored(did) {
      if (!isComplete || unsettled.has(did)) throw new ApiError(503, READING)
    },
  }
  const checkpointer = createCheckpointer({
    storage,
    changed,
    clock,
    timers,
    policy,
    limits: { ...DEFAULT_CHECKPOINT_POLICY, ...defined(options.checkpoints) },
    findKey: async (did) => (await context.sessions.find(did))?.publicKey,
    log,
  })
  const ended = {
    ...context,
    timers,
    policy: { ...DEFAULT_ENDED_POLICY, ...defined(options.quota) },
    assertReady() {
      if (!isComplete) throw new ApiError(503, READING)
      watch.assertAlone()
    },
    today: () => Math.floor(nowMs() / DAY_MS),
  }
  const server = createServer(context)
  await server.ready()
  return {
    server,
    async start() {
      // A table that was complete is still so, but for the few logs that were written to when the gateway ended.
      isComplete = await objects.isComplete()
      unsettled = new Set(isComplete ? await objects.listUnsettled() : [])
      cashing ??= cashier.run(stopping.signal)
      watching ??= watch.run(stopping.signal).catch((error: unknown) => {
        log({ type: 'watch-ended', level: 'error', message: `the logs are watched no more: ${error}` })
      })
      checkpointing ??= checkpointer.run(stopping.signal).catch((error: unknown) => {
        log({ type: 'checkpoints-ended', level: 'error', message: `no more checkpoints are written: ${error}` })
      })
      orders?.start()
      const orphans = { storage: engine, timers, graceMs: options.orphanGraceMs, maySweep: isAlone, log }
      sweeping ??= runOrphanSweep(orphans, stopping.signal).catch((error: unknown) => {
        log({ type: 'orphan-sweep-ended', level: 'error', message: `what uploads left behind stays: ${error}` })
      })
      ending ??= runEndedQuota(ended, stopping.signal).catch((error: unknown) => {
        log({ type: 'ended-quota-ended', level: 'error', message: `quota that ends is not looked after: ${error}` })
      })
      restoring ??= restore().catch((error: unknown) => {
        log({ type: 'restore-failed', level: 'error', message: `the table of objects is incomplete: ${error}` })
      })
    },
    async stop() {
      stopping.abort()
      await storage.close()
      await orders?.close()
      await restoring
      await cashing
      await watching
      await checkpointing
      await sweeping
      await ending
      await server.close()
      await background.end()
    },
  }
}

type Defined<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> }

/** Without what was left undefined, so that it does not hide a default. */
function defined<T extends object>(options: T | undefined): Defined<T> {
  return Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined)) as Defined<T>
}
