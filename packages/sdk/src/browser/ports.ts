import type { Clock, Network, Randomness, Signer, Timers, Transport } from '@memo/core'
import type { StoragePorts } from '../context.ts'
import { createFetchTransport } from './fetch-transport.ts'

/** The longest sleep that a timer can hold; longer ones are slept in stretches. */
const MAX_TIMER_MS = 2_147_483_647
/** Bytes that a browser gives at once. */
const MAX_RANDOM_BYTES = 65_536

export type BrowserPortsOptions = {
  /** Of the chain that was connected to. */
  readonly network: Network
  /** The account that puts. */
  readonly signer: Signer
  /** One with other limits; {@link createFetchTransport} where nothing is said. */
  readonly transport?: Transport | undefined
}

/**
 * The ports of a storage in a page or worker (`spec/browser.md` 2).
 *
 * @example
 * ```ts
 * const chain = await connectNetwork({ rpcUrl, registry })
 * const ports = createBrowserPorts({ network: chain.network, signer: createKeySigner(secretKey) })
 * const storage = createStorage({ chain, ports })
 * ```
 */
export function createBrowserPorts(options: BrowserPortsOptions): StoragePorts {
  const { network, signer, transport = createFetchTransport() } = options
  return {
    network,
    signer,
    transport,
    clock: createBrowserClock(),
    timers: createBrowserTimers(),
    random: createBrowserRandomness(),
  }
}

/** The clock of the machine that the browser runs on. */
export function createBrowserClock(): Clock {
  return { nowMs: () => Date.now() }
}

/** Waiting in real time; later than asked for where the browser slows the timers of a page that nobody sees. */
export function createBrowserTimers(): Timers {
  return {
    async sleep(ms, signal) {
      let left = Math.max(0, ms)
      do {
        await sleepOnce(Math.min(left, MAX_TIMER_MS), signal)
        left -= MAX_TIMER_MS
      } while (left > 0)
    },
  }
}

async function sleepOnce(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const wake = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', wake)
      resolve()
    }, ms)
    signal?.addEventListener('abort', wake, { once: true })
  })
}

/** Unpredictable bytes from the operating system, by WebCrypto. */
export function createBrowserRandomness(): Randomness {
  return {
    bytes(length) {
      const out = new Uint8Array(length)
      for (let at = 0; at < length; at += MAX_RANDOM_BYTES) {
        crypto.getRandomValues(out.subarray(at, at + MAX_RANDOM_BYTES))
      }
      return out
    },
  }
}
