import { availableParallelism } from 'node:os'
import {
  type EncodedStripe,
  encodeStripe,
  errorFromEnvelope,
  hashUnits,
  MemoError,
  openChunks,
  type StripeInput,
} from '@memo/core'
import {
  memoryOf,
  type SealedChunks,
  type StripeAnswer,
  type StripeFailure,
  type StripeTask,
  type StripeTaskOf,
  stripeFromPacked,
} from './stripe-pool-task.ts'
import { type StripeThread, startStripeThread } from './stripe-pool-thread.ts'

/** More threads than this do not help: the one that moves the bytes on sockets is the limit before. */
const MAX_DEFAULT_THREADS = 4
/** Up to this size work is done at once in the calling thread: the way to another one takes longer. */
const INLINE_BYTES = 131_072
/** Tasks that wait for a thread. Streams wait for memory long before there are so many. */
const MAX_WAITING = 1_024

/** More work waits for a thread than may wait. */
export class StripePoolBusyError extends MemoError {
  override readonly name: string = 'StripePoolBusyError'
  constructor(waiting: number) {
    super(`${waiting} stripes wait for a thread`, {
      blame: 'us',
      retry: 'later',
      fix: 'Try again when fewer objects are being sent or read.',
      details: { waiting },
    })
  }
}

/** The pool was closed before the stripe's turn came. */
export class StripePoolClosedError extends MemoError {
  override readonly name: string = 'StripePoolClosedError'
  constructor() {
    super('the threads that work on stripes were stopped', { blame: 'us', retry: 'never' })
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

type TaskOptions = { readonly signal?: AbortSignal | undefined }

/**
 * Threads that work on stripes, one task each at a time. Memory is moved to a thread and back, never copied, so what
 * is given must be views of buffers that nobody else uses; it is detached by the call, unless the call is aborted
 * before its turn. Tasks are begun in the order of the calls.
 *
 * Errors of all: {@link StripePoolBusyError}, {@link StripePoolClosedError}, StripeThreadCrashedError; what the function
 * itself throws, by name; the signal's reason.
 */
export type StripePool = {
  readonly threads: number
  /** `encodeStripe`. */
  encode(stripe: StripeInput, options?: TaskOptions): Promise<PooledStripe>
  /** `hashUnits`; `data` comes back with its unit nodes. */
  hashUnits(data: Uint8Array, options?: TaskOptions): Promise<StripeAnswer['hash']>
  /** `openChunks`. */
  openChunks(chunks: SealedChunks, options?: TaskOptions): Promise<Uint8Array>
  /** Lets tasks under way end, refuses those that wait, and stops all threads. */
  close(): Promise<void>
}

type Job = {
  readonly run: (thread: StripeThread) => Promise<void>
  readonly reject: (reason: unknown) => void
}

/**
 * A pool of threads that seal, code and hash stripes, and check and open what is read (`spec/performance.md` 6). It
 * fits the ports of a storage that say where such work is done.
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
  const running = new Set<Promise<void>>()
  let isClosed = false

  const serve = () => {
    for (const job of waiting) {
      if (running.size >= threads) return
      waiting.delete(job)
      const thread = findAlive(idle) ?? startStripeThread(script)
      const work = job.run(thread).then(() => {
        if (thread.isAlive()) idle.push(thread)
        running.delete(work)
        serve()
      })
      running.add(work)
    }
  }
  const submit = async <Kind extends StripeTask['kind']>(
    task: StripeTaskOf<Kind>,
    memory: readonly (Uint8Array | undefined)[],
    signal: AbortSignal | undefined,
  ) => {
    if (waiting.size >= maxWaiting) throw new StripePoolBusyError(waiting.size)
    return await new Promise<StripeAnswer[Kind]>((resolve, reject) => {
      const leave = () => {
        if (waiting.delete(job)) reject(signal?.reason)
      }
      const job: Job = {
        async run(thread) {
          signal?.removeEventListener('abort', leave)
          try {
            resolve(assertDone(await thread.run<Kind>(task, memoryOf(...memory))))
          } catch (error) {
            reject(error)
          }
        },
        reject(reason) {
          signal?.removeEventListener('abort', leave)
          reject(reason)
        },
      }
      waiting.add(job)
      signal?.addEventListener('abort', leave, { once: true })
      serve()
    })
  }
  const assertOpen = (signal: AbortSignal | undefined) => {
    signal?.throwIfAborted()
    if (isClosed) throw new StripePoolClosedError()
  }
  return {
    threads,
    async encode(stripe, { signal } = {}) {
      assertOpen(signal)
      const { plaintext, buffer } = stripe
      if (plaintext.length <= INLINE_BYTES) return { ...encodeStripe(stripe), plaintext }
      const packed = await submit({ kind: 'encode', stripe: plainStripe(stripe) }, [plaintext, buffer], signal)
      return { ...stripeFromPacked(packed), plaintext: packed.plaintext }
    },
    async hashUnits(data, { signal } = {}) {
      assertOpen(signal)
      if (data.length <= INLINE_BYTES) return { units: hashUnits(data), data }
      return await submit({ kind: 'hash', data }, [data], signal)
    },
    async openChunks(chunks, { signal } = {}) {
      assertOpen(signal)
      const { contentKey, firstChunk, sealed, endsObject } = chunks
      if (sealed.length <= INLINE_BYTES) return openChunks(contentKey, firstChunk, sealed, endsObject)
      const task = { contentKey: contentKey.slice(), firstChunk, sealed, endsObject }
      return (await submit({ kind: 'open', chunks: task }, [sealed], signal)).plaintext
    },
    async close() {
      isClosed = true
      for (const job of waiting) job.reject(new StripePoolClosedError())
      waiting.clear()
      await Promise.all(running)
      await Promise.all(idle.splice(0).map(async (thread) => await thread.stop()))
    },
  }
}

/** The stripe without what its caller may have added. A key may be a view of a larger buffer, all of which would go along. */
function plainStripe(stripe: StripeInput): StripeInput {
  const { plaintext, contentKey, firstChunk, endsObject, dataShards, parityShards, buffer } = stripe
  return { plaintext, contentKey: contentKey?.slice(), firstChunk, endsObject, dataShards, parityShards, buffer }
}

function assertDone<T extends object>(answer: T | StripeFailure): T {
  if ('failure' in answer) throw errorFromEnvelope(answer.failure)
  return answer
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
