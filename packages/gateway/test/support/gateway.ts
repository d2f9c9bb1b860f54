import { createCachedChain, type MemoChain } from '@memo/chain'
import type { Clock, IndexStore, Timers, Transport } from '@memo/core'
import { createMemoryIndexStore } from '@memo/core/testing'
import {
  createGateway,
  type Gateway,
  type GatewayEvent,
  type GatewayOptions,
  type GatewayQuotaOptions,
  listenAt,
} from '@memo/gateway'
import { createSystemClock, createSystemRandomness, createSystemTimers, type Listener } from '@memo/platform'
import { createCaller, type TestCaller } from './caller.ts'
import { GATEWAY_KEY, type TestNetwork } from './network.ts'

const CHAIN_CACHE_MS = 500
const CLOSE_GRACE_MS = 500
const POLL_MS = 20
/** More than any machine needs: only what never comes takes so long. */
const PATIENCE_MS = 60_000

/** A gateway on a socket, in front of a whole network. */
export type TestGateway = {
  readonly gateway: Gateway
  readonly url: string
  readonly store: IndexStore
  readonly events: readonly GatewayEvent[]
  /** Somebody with a new DID, logged in. */
  join(): Promise<TestCaller>
  close(): Promise<void>
}

export async function startGateway(
  network: TestNetwork,
  options: {
    readonly store?: IndexStore
    readonly clock?: Clock
    readonly timers?: Timers
    readonly quota?: GatewayQuotaOptions
    readonly apply?: NonNullable<GatewayOptions['apply']>
    readonly watchMs?: number
    readonly takeOver?: boolean
    readonly checkpoints?: GatewayOptions['checkpoints']
    /** Of another account than the usual one. */
    readonly other?: { readonly secretKey: Uint8Array; readonly contracts: MemoChain }
    /** Through which it reaches the others, where that is not the network's own. */
    readonly edge?: { readonly transport: Transport; readonly contracts: MemoChain }
  } = {},
): Promise<TestGateway> {
  const { store = createMemoryIndexStore(), clock = createSystemClock(), timers = createSystemTimers() } = options
  const events: GatewayEvent[] = []
  const gateway = await createGateway({
    chain: createCachedChain(options.edge?.contracts ?? network.chain, clock, CHAIN_CACHE_MS),
    contracts: options.edge?.contracts ?? options.other?.contracts ?? network.gatewayChain,
    quota: options.quota,
    // Another account has deposited nothing to pay providers from.
    ...(options.other ? { orders: false } : {}),
    apply: { hashcashBits: 6, ...options.apply },
    watchMs: options.watchMs,
    takeOver: options.takeOver,
    checkpoints: options.checkpoints,
    transport: options.edge?.transport ?? network.http.transport,
    clock,
    timers,
    random: createSystemRandomness(),
    store,
    secretKey: options.other?.secretKey ?? GATEWAY_KEY,
    policy: 'rs:2+1',
    limits: { submitPauseMs: 50 },
    onEvent: (event) => events.push(event),
  })
  await gateway.start()
  const listener: Listener = await listenAt(gateway.server, '127.0.0.1', 0)
  return {
    gateway,
    url: listener.url,
    store,
    events,
    async join() {
      const { did, master } = await network.newDid()
      const caller = createCaller(listener.url, did, master)
      await caller.login()
      return caller
    },
    async close() {
      await listener.close(CLOSE_GRACE_MS)
      await gateway.stop()
    },
  }
}

/** Resolves when `isTrue` is; fails with `what` when it does not become so. */
export async function until(what: string, isTrue: () => Promise<boolean> | boolean): Promise<void> {
  const endMs = Date.now() + PATIENCE_MS
  while (!(await isTrue())) {
    if (Date.now() > endMs) throw new RangeError(`waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** A gateway whose table is filled. */
export async function startReadyGateway(...options: Parameters<typeof startGateway>): Promise<TestGateway> {
  const started = await startGateway(...options)
  await until('the table is filled', () => started.events.some((event) => event.type === 'table-restored'))
  return started
}
