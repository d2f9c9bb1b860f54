import type { Blame } from '../errors/index.ts'
import type { Handler, Timers, Transport } from '../ports.ts'
import { runExchange } from './memory-exchange.ts'
import type { SeededRandomness } from './seeded.ts'
import type { Trace } from './trace.ts'

/** How one node reaches another. */
export type Link = {
  /**
   * `up`: it does. `refused`: nobody listens, said at once. `silent`: requests are taken and never answered.
   */
  readonly state: 'up' | 'refused' | 'silent'
  /** One way. */
  readonly delayMs: number
  /** Up to so much more, drawn each time. */
  readonly jitterMs: number
  /** Bodies flow no faster; 0 = at once. */
  readonly bytesPerMs: number
  /** Chance that an exchange breaks: before it arrives, before its answer, or in the middle of the answer's body. */
  readonly breakRate: number
  /** Chance that an answer's body arrives with one bit flipped. */
  readonly corruptRate: number
}

export type MemoryNetworkOptions = {
  readonly timers: Timers
  readonly random: SeededRandomness
  /** The link between any two nodes unless {@link MemoryNetwork.setLink} says otherwise. */
  readonly link?: Partial<Link>
  readonly trace?: Trace
}

export type ListenOptions = {
  /** Whose fault it is when this node cannot be reached. */
  readonly blame?: Blame
}

/** A network in memory: real handlers behind made-up endpoints, and links that fail as ordered. */
export type MemoryNetwork = {
  /** Serves `handler` at base URL `endpoint` until it is closed, which breaks what is under way. */
  listen(endpoint: string, handler: Handler, options?: ListenOptions): { close(): void }
  /** What node `from` (any name, best its endpoint) sends requests with. */
  transport(from?: string): Transport
  /**
   * Changes the link from one node to another; `'*'` is any. The newest that fits counts. What is not named stays as
   * the network's default.
   */
  setLink(from: string, to: string, link: Partial<Link>): void
  /** Forgets all that {@link MemoryNetwork.setLink} said. */
  clearLinks(): void
}

/** What answers at an endpoint. */
export type Listener = {
  readonly endpoint: string
  readonly handler: Handler
  readonly blame: Blame
  /** Aborted when the node goes down. */
  readonly down: AbortController
}

const PERFECT: Link = { state: 'up', delayMs: 0, jitterMs: 0, bytesPerMs: 0, breakRate: 0, corruptRate: 0 }
const ANY = '*'

export function createMemoryNetwork(options: MemoryNetworkOptions): MemoryNetwork {
  const standard: Link = { ...PERFECT, ...options.link }
  const listeners = new Map<string, Listener>()
  let rules: { readonly from: string; readonly to: string; readonly link: Link }[] = []

  const linkOf = (from: string, to: string): Link => {
    const fits = (rule: { from: string; to: string }) =>
      (rule.from === ANY || rule.from === from) && (rule.to === ANY || rule.to === to)
    return rules.findLast(fits)?.link ?? standard
  }
  return {
    listen(endpoint, handler, { blame = 'provider' } = {}) {
      const listener: Listener = { endpoint, handler, blame, down: new AbortController() }
      listeners.set(endpoint, listener)
      return {
        close() {
          if (listeners.get(endpoint) === listener) listeners.delete(endpoint)
          listener.down.abort()
        },
      }
    },
    transport:
      (from = 'client') =>
      (request) => {
        const endpoint = endpointOf(request.url, listeners)
        const { timers, random, trace } = options
        const world = { from, endpoint, link: linkOf(from, endpoint), timers, random, trace }
        return runExchange(world, listeners.get(endpoint), request)
      },
    setLink(from, to, link) {
      rules.push({ from, to, link: { ...standard, ...link } })
    },
    clearLinks() {
      rules = []
    },
  }
}

/** The endpoint that a URL is under: the longest that somebody listens at, else its origin. */
function endpointOf(url: string, listeners: ReadonlyMap<string, unknown>): string {
  const listening = [...listeners.keys()].filter((endpoint) => url.startsWith(`${endpoint}/`))
  return listening.sort((a, b) => b.length - a.length)[0] ?? /^[a-z]+:\/\/[^/]+/.exec(url)?.[0] ?? url
}
