import { Worker } from 'node:worker_threads'
import { MemoError } from '@memo/core'
import { type StripeAnswer, type StripeTask, transferOf } from './stripe-pool-task.ts'

/** What a thread may allocate beside the memory of its stripe, which is not counted here. */
const MAX_OLD_HEAP_MIB = 96
const MAX_YOUNG_HEAP_MIB = 8

/** The thread that encoded a stripe ended before it was done; the stripe's memory is lost. */
export class StripeThreadCrashedError extends MemoError {
  override readonly name: string = 'StripeThreadCrashedError'
  constructor(why: string, cause?: unknown) {
    super(`a thread that encodes stripes ended: ${why}`, {
      blame: 'us',
      retry: 'now',
      fix: 'Send the object again: another thread has taken over. Look for a lack of memory if it happens again.',
      cause,
    })
  }
}

/** A thread that does one task at a time. */
export type StripeThread = {
  /** False once the thread has ended, for whatever reason. */
  isAlive(): boolean
  /** Moves the memory of the task there and that of the answer here. Errors: {@link StripeThreadCrashedError}. */
  run(task: StripeTask): Promise<StripeAnswer>
  /** Ends the thread and waits until it has ended. */
  stop(): Promise<void>
}

type Pending = {
  readonly resolve: (answer: StripeAnswer) => void
  readonly reject: (error: unknown) => void
}

/** Starts a thread over the module at `script`. It keeps the process alive only while it has a task. */
export function startStripeThread(script: URL): StripeThread {
  const worker = new Worker(script, {
    name: 'stripe',
    resourceLimits: { maxOldGenerationSizeMb: MAX_OLD_HEAP_MIB, maxYoungGenerationSizeMb: MAX_YOUNG_HEAP_MIB },
  })
  let pending: Pending | undefined
  let isAlive = true
  const take = (): Pending | undefined => {
    const taken = pending
    pending = undefined
    worker.unref()
    return taken
  }
  const fail = (why: string, cause?: unknown) => {
    isAlive = false
    take()?.reject(new StripeThreadCrashedError(why, cause))
  }
  worker.on('message', (answer: StripeAnswer) => take()?.resolve(answer))
  worker.on('error', (cause: Error) => fail(cause.message, cause))
  worker.on('exit', (code: number) => fail(`exit code ${code}`))
  worker.unref()
  return {
    isAlive: () => isAlive,
    async run(task) {
      return await new Promise((resolve, reject) => {
        pending = { resolve, reject }
        worker.ref()
        try {
          worker.postMessage(task, transferOf(task.plaintext, task.buffer))
        } catch (error) {
          take()
          reject(error)
        }
      })
    },
    async stop() {
      isAlive = false
      await worker.terminate()
    },
  }
}
