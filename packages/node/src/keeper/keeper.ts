import type { Chain, Clock, Handler, IndexStore, Network, Randomness, Signer, Timers, Transport } from '@memo/core'
import { errorResponse } from '@memo/core'
import { type EventSink, silent } from '../events.ts'
import { type Background, createBackground } from '../server/background.ts'
import { NotServingError } from '../server/errors.ts'
import { createOrderReader } from '../server/order-reader.ts'
import { createRouter, type Router } from '../server/router.ts'
import { type KeeperMoney, shareFeesAgainAndAgain } from './fees.ts'
import { createIntake } from './intake.ts'
import { KEEPER_LIMITS, type KeeperLimits } from './limits.ts'
import { createPeerProgress } from './peer-progress.ts'
import { createProber, type Prober } from './prober.ts'
import { startReplication } from './replication.ts'
import { createKeeperRoutes } from './routes.ts'
import { openKeeperStore } from './store.ts'
import { createWriteBudgets } from './write-budget.ts'

export type KeeperOptions = {
  readonly network: Network
  readonly chain: Chain
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Randomness
  /** The keeper's account: it signs acknowledgements. */
  readonly signer: Signer
  /** How it reaches providers and other keepers. */
  readonly transport: Transport
  /** Opened and closed by the caller. */
  readonly index: IndexStore
  /** Has it and the other keepers paid; without it somebody else must. */
  readonly fees?: KeeperMoney | undefined
  readonly log?: EventSink | undefined
  readonly limits?: Partial<KeeperLimits> | undefined
}

/** A keeper over ports: it keeps indexes and placements, and matches users with providers (`spec/keeper.md`). Starts once. */
export type Keeper = {
  /** Answers `spec/wire.md` 6; before `start` and after `stop` it answers {@link NotServingError}. */
  readonly handler: Handler
  /** Reads its records, then serves; probing and replication begin. Rejects when the store cannot be read. */
  start(): Promise<void>
  /** Waits for what is being answered and ends what goes on beside. Afterwards the store may be closed. */
  stop(): Promise<void>
}

export function createKeeper(options: KeeperOptions): Keeper {
  const log = options.log ?? silent
  const limits: KeeperLimits = { ...KEEPER_LIMITS, ...options.limits }
  let running: { readonly router: Router; readonly background: Background } | undefined

  return {
    async handler(request) {
      if (running) return await running.router.handler(request)
      return errorResponse(new NotServingError('keeper', 'it is starting or stopping'))
    },
    async start() {
      running = await open(options, limits, log)
    },
    async stop() {
      await running?.router.close()
      await running?.background.stop()
      running = undefined
    },
  }
}

async function open(
  options: KeeperOptions,
  limits: KeeperLimits,
  log: EventSink,
): Promise<{ router: Router; background: Background }> {
  const { network, chain, clock, timers, random, signer, index, fees } = options
  const ports = { ...options, signer: undefined }
  const store = await openKeeperStore({ network, index })
  const orders = createOrderReader({ chain, clock, ttlMs: limits.orderCacheMs })
  const budgets = createWriteBudgets(clock)
  const intake = createIntake({ network, chain, orders, clock, timers, store, budgets, limits })
  const prober = createProber({ ports, chain, probeTimeoutMs: limits.probeTimeoutMs, log })
  const nowMs = () => clock.nowMs()
  const routes = createKeeperRoutes({ chain, timers, random, signer, store, intake, prober, limits, nowMs })
  const router = createRouter({ role: 'keeper', routes, maxRunning: limits.maxRunningRequests, log })
  const background = createBackground(log)
  background.run('the probes', async (signal) => await probeAgainAndAgain(prober, timers, limits, signal))
  const progress = createPeerProgress(index)
  startReplication({ ports, chain, self: signer.address, store, progress, intake, limits, log }, background)
  if (fees) {
    const sharing = { self: signer.address, money: fees, clock, timers, limits, log }
    background.run('the sharing of fees', async (signal) => await shareFeesAgainAndAgain(sharing, signal))
  }
  router.open()
  return { router, background }
}

/** Often at first, as long as somebody is silent: providers may start after their keepers. */
async function probeAgainAndAgain(
  prober: Prober,
  timers: Timers,
  limits: KeeperLimits,
  signal: AbortSignal,
): Promise<void> {
  const eagerRounds = Math.ceil(limits.eagerForMs / limits.eagerProbeMs)
  for (let round = 0; ; round++) {
    await prober.refresh(signal)
    const isEager = round < eagerRounds && !(prober.views.length > 0 && prober.views.every((view) => view.isAlive))
    await timers.sleep(isEager ? limits.eagerProbeMs : limits.probeIntervalMs, signal)
  }
}
