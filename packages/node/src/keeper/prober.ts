import {
  type Account,
  type Address,
  type Chain,
  type ClientPorts,
  createProviderClient,
  envelopeFromError,
} from '@memo/core'
import type { EventSink } from '../events.ts'

/** What a keeper knows of a provider. */
export type ProviderView = {
  readonly account: Account
  /** It answered the last probe, as the account that the chain names. */
  readonly isAlive: boolean
  /** Of its last answer; undefined when it never gave one. */
  readonly lastSeenMs: number | undefined
  /** Room as it says, no more than it has pledged for. */
  readonly freeBytes: number
}

/** Watches which providers are there, and how much room they have (`spec/keeper.md` 4). */
export type Prober = {
  readonly views: readonly ProviderView[]
  readonly lastRoundMs: number
  /** Probes all active providers once; a round that is under way is joined. Never rejects. */
  refresh(signal?: AbortSignal): Promise<void>
}

export type ProberOptions = {
  readonly ports: ClientPorts
  readonly chain: Chain
  readonly probeTimeoutMs: number
  readonly log: EventSink
}

/** Probes under way at one time. */
const CONCURRENT_PROBES = 32

export function createProber(options: ProberOptions): Prober {
  const { ports, chain, log } = options
  let views = new Map<Address, ProviderView>()
  let lastRoundMs = Number.NEGATIVE_INFINITY
  let round: Promise<void> | undefined

  const probe = async (account: Account, signal: AbortSignal | undefined): Promise<ProviderView> => {
    const before = views.get(account.address)
    try {
      const client = createProviderClient(ports, account)
      const info = await client.info({ timeoutMs: options.probeTimeoutMs, signal })
      if (before?.isAlive === false) tell('provider-back', 'info', account, 'answers again')
      const freeBytes = Math.min(info.freeBytes, account.capacityBytes)
      return { account, isAlive: true, lastSeenMs: ports.clock.nowMs(), freeBytes }
    } catch (thrown) {
      signal?.throwIfAborted()
      if (before?.isAlive !== false)
        tell('provider-silent', 'warn', account, 'does not answer', envelopeFromError(thrown))
      return { account, isAlive: false, lastSeenMs: before?.lastSeenMs, freeBytes: 0 }
    }
  }
  const tell = (type: string, level: 'info' | 'warn', account: Account, what: string, more: object = {}) =>
    log({ type, level, message: `provider ${account.address} ${what}`, provider: account.address, ...more })

  const runRound = async (signal: AbortSignal | undefined) => {
    try {
      const providers = (await chain.listProviders()).filter((account) => account.state === 'active')
      const queue = [...providers]
      const next = new Map<Address, ProviderView>()
      const worker = async () => {
        for (let account = queue.shift(); account; account = queue.shift()) {
          next.set(account.address, await probe(account, signal))
        }
      }
      await Promise.all(Array.from({ length: Math.min(CONCURRENT_PROBES, providers.length) }, worker))
      // In the order of the chain, not of the answers, so that a simulation repeats itself.
      views = new Map(providers.flatMap(({ address }) => pairOf(address, next.get(address))))
    } catch (thrown) {
      if (signal?.aborted) return
      const message = 'the chain did not list the providers; the last view stays'
      log({ type: 'chain-unreachable', level: 'warn', message, ...envelopeFromError(thrown) })
    } finally {
      lastRoundMs = ports.clock.nowMs()
      round = undefined
    }
  }
  return {
    get views() {
      return [...views.values()]
    },
    get lastRoundMs() {
      return lastRoundMs
    },
    async refresh(signal) {
      round ??= runRound(signal)
      await round
    },
  }
}

function pairOf(address: Address, view: ProviderView | undefined): [Address, ProviderView][] {
  return view ? [[address, view]] : []
}
