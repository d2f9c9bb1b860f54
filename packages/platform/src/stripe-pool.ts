import { availableParallelism } from 'node:os'
import { type EncodedStripe, encodeStripe, errorFromEnvelope, MemoError, type StripeInput } from '@memo/core'
import { stripeFromAnswer } from './stripe-pool-task.ts'
import { type StripeThread, startStripeThread } from './stripe-pool-thread.ts'

/** More threads than this do not help: the one that moves the bytes on sockets is the limit before. */
const MAX_DEFAULT_THREADS = 4
/** Stripes up to this size are encoded at once in the calling thread: the way to another one takes longer. */
const INLINE_BYTES = 131_072
/** Stripes that wait for a thread. Streams wait for memory long before there are so many. */
const MAX_WAITING = 1_024

/** More stripes wait for a thread than may wait. */
export class StripePoolBusyError extends MemoError {
  override readonly name: string = 'StripePoolBusyError'
  constructor(waiting: number) {
    super(`${waiting} stripes wait to be encoded`, {
      blame: 'us',
      retry: 'later',
      fix: 'Try again when fewer objects are being uploaded.',
      details: { waiting },
    })
  }
}

/** The pool was closed before the stripe's turn came. */
export class StripePoolClosedError extends MemoError {
  override readonly name: string = 'StripePoolClosedError'
  constructor() {
    super('the threads that encode stripes were stopped', { blame: 'us', retry: 'never' })
  }
}

export type StripePoolOptions = {
  /** Threads at the most; they are started as they are needed. By default one less than this machine has cores. */
  readonly threads?: number | undefined
  readonly maxWaiting?: number | undefined
  /** The module that a thread runs, where a bundler has put it elsewhere than beside this one. */
  readonly script?: URL | undefined
}

/** A stripe from the pool. */
export type PooledStripe = EncodedStripe & {
  /** The memory of the plaintext, to be used again: what the caller gave is detached. */
  readonly plaintext: Uint8Array
}

/** Threads that encode stripes, one stripe each at a time. */
export type StripePool = {
  readonly threads: number
  /**
   * `encodeStripe` in another thread. The memory of `plaintext` and `buffer` is moved there, never copied, so both must
   * be views of buffers that nobody else uses; what comes back is the same memory. Stripes are begun in the order of the
   * calls. An abort takes a stripe out that still waits.
   *
   * @throws StripeThreadCrashedError, StripePoolBusyError, StripePoolClosedError; what `encodeStripe` throws, by name
   */
  encode(stripe: StripeInput, options?: { readonly signal?: AbortSignal | undefined }): Promise<PooledStripe>
  /** Lets tasks under way end, refuses those that wait, and stops all threads. */
  close(): Promise<void>
}

type Job = {
  readonly stripe: StripeInput
  readonly resolve: (stripe: PooledStripe | Promise<PooledStripe>) => void
  readonly reject: (reason: unknown) => void
}

/**
 * A pool of threads that seal, code and hash stripes (`spec/performance.md` 6). Its `encode` is what a storage takes as
 * its encoder.
 *
 * @example
 * ```ts
 * const pool = createStripePool()
 * const storage = createStorage({ ports, chain, encode: pool.encode })
 * await storage.close()
 * await pool.close()
 * ```
 */
export function createStripePool(options: StripePoolOptions = {}): StripePool {
  const { threads = defaultThreads(), maxWaiting = MAX_WAITING, script = scriptUrl() } = options
  const waiting = new Set<Job>()
  const idle: StripeThread[] = []
  const running = new Set<Promise<unknown>>()
  let isClosed = false

  const runOn = async (thread: StripeThread, stripe: StripeInput): Promise<PooledStripe> => {
    try {
      return await encodeOn(thread, stripe)
    } finally {
      if (thread.isAlive()) idle.push(thread)
    }
  }
  const serve = () => {
    for (const job of waiting) {
      if (running.size >= threads) return
      waiting.delete(job)
      const work = runOn(findAlive(idle) ?? startStripeThread(script), job.stripe)
      running.add(work)
      const end = () => {
        running.delete(work)
        serve()
      }
      work.then(end, end)
      job.resolve(work)
    }
  }
  const wait = async (stripe: StripeInput, signal: AbortSignal | undefined) =>
    await new Promise<PooledStripe>((resolve, reject) => {
      const leave = () => {
        if (waiting.delete(job)) reject(signal?.reason)
      }
      const done = () => signal?.removeEventListener('abort', leave)
      const job: Job = {
        stripe,
        resolve: (work) => {
          done()
          resolve(work)
        },
        reject: (reason) => {
          done()
          reject(reason)
        },
      }
      waiting.add(job)
      signal?.addEventListener('abort', leave, { once: true })
      serve()
    })

  return {
    threads,
    async encode(stripe, { signal } = {}) {
      signal?.throwIfAborted()
      if (isClosed) throw new StripePoolClosedError()
      if (stripe.plaintext.length <= INLINE_BYTES) return { ...encodeStripe(stripe), plaintext: stripe.plaintext }
      if (waiting.size >= maxWaiting) throw new StripePoolBusyError(waiting.size)
      return await wait(stripe, signal)
    },
    async close() {
      isClosed = true
      for (const job of waiting) job.reject(new StripePoolClosedError())
      waiting.clear()
      await Promise.allSettled(running)
      await Promise.all(idle.splice(0).map(async (thread) => await thread.stop()))
    },
  }
}

async function encodeOn(thread: StripeThread, stripe: StripeInput): Promise<PooledStripe> {
  const { plaintext, contentKey, firstChunk, endsObject, dataShards, parityShards, buffer } = stripe
  // A key may be a view of a larger buffer, all of which would be copied with it.
  const task = { plaintext, contentKey: contentKey?.slice(), firstChunk, endsObject, dataShards, parityShards, buffer }
  const answer = await thread.run(task)
  if ('failure' in answer) throw errorFromEnvelope(answer.failure)
  return { ...stripeFromAnswer(answer), plaintext: answer.plaintext }
}

/** The thread that was used last, so that those which are not needed stay asleep. */
function findAlive(idle: StripeThread[]): StripeThread | undefined {
  for (let thread = idle.pop(); thread; thread = idle.pop()) if (thread.isAlive()) return thread
  return undefined
}

function defaultThreads(): number {
  return Math.min(MAX_DEFAULT_THREADS, Math.max(1, availableParallelism() - 1))
}

/** The module of a thread, beside this one: as source and as built. */
function scriptUrl(): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new URL(`./stripe-pool-worker.${extension}`, import.meta.url)
}
