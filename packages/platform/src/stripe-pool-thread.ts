import { Worker } from 'node:worker_threads'
import { MemoError } from '@memo/core'
import type { StripeAnswer, StripeFailure, StripeTask, StripeTaskOf } from './stripe-pool-task.ts'

/** What a thread may allocate beside the memory of its stripe, which is not counted here. */
const MAX_OLD_HEAP_MIB = 48
const MAX_YOUNG_HEAP_MIB = 4

/** The thread that worked on a stripe ended before it was done; the stripe's memory is lost. */
export class StripeThreadCrashedError extends MemoError {
  override readonly name: string = 'StripeThreadCrashedError'
  constructor(why: string, cause?: unknown) {
    super(`a thread that works on stripes ended: ${why}`, {
      blame: 'us',
      retry: 'now',
      fix: 'Try again: another thread has taken over. Look for a lack of memory if it happens again.',
      cause,
    })
  }
}

/** A thread that does one task at a time. */
export type StripeThread = {
  /** False once the thread has ended, for whatever reason. */
  isAlive(): boolean
  /** Does a task there and moves `memory`, which is the task's, with it. Errors: {@link StripeThreadCrashedError}. */
  run<Kind extends StripeTask['kind']>(
    task: StripeTaskOf<Kind>,
    memory: ArrayBuffer[],
  ): Promise<StripeAnswer[Kind] | StripeFailure>
  /** Ends the thread and waits until it has ended. */
  stop(): Promise<void>
}

type Pending = {
  readonly resolve: (answer: unknown) => void
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
  worker.on('message', (answer: unknown) => take()?.resolve(answer))
  worker.on('error', (cause: Error) => fail(cause.message, cause))
  worker.on('exit', (code: number) => fail(`exit code ${code}`))
  worker.unref()
  return {
    isAlive: () => isAlive,
    async run<Kind extends StripeTask['kind']>(task: StripeTaskOf<Kind>, memory: ArrayBuffer[]) {
      const answer = await new Promise<unknown>((resolve, reject) => {
        pending = { resolve, reject }
        worker.ref()
        try {
          worker.postMessage(task, memory)
        } catch (error) {
          take()
          reject(error)
        }
      })
      return answer as StripeAnswer[Kind] | StripeFailure
    },
    async stop() {
      isAlive = false
      await worker.terminate()
    },
  }
}
