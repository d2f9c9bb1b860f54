import { type ErrorEnvelope, envelopeFromError, errorFromEnvelope, MemoError } from '@memo/core'
import { EXIT } from './exit-codes.ts'

/** The user, the system or the process above asked this one to stop. */
export class InterruptedError extends MemoError {
  override readonly name: string = 'InterruptedError'
  constructor(why: string) {
    super(why, { blame: 'user', retry: 'now' })
  }
}

/** What a process of a local network tells the one that started it. */
export type ChildMessage =
  | { readonly type: 'set-up' }
  | { readonly type: 'need-funds'; readonly to: string; readonly memoAtto: string; readonly gasWei: string }
  | { readonly type: 'ready'; readonly url: string; readonly address?: string; readonly details?: unknown }
  | { readonly type: 'failed'; readonly error: ErrorEnvelope }

/** What it is told. */
export type ParentMessage = { readonly type: 'go' } | { readonly type: 'funded'; readonly error?: ErrorEnvelope }

/** The process that started this one as part of a local network. */
export type Supervisor = {
  send(message: ChildMessage): void
  /** Resolves when those whom this process needs to serve are there. */
  waitForGo(signal: AbortSignal): Promise<void>
  /** Has the account funded. Rejects with what the supervisor says. */
  requestFunds(funds: { readonly to: string; readonly memoAtto: bigint; readonly gasWei: bigint }): Promise<void>
}

/** What a verb needs to know of the process that it runs in. */
export type Runtime = {
  /** Aborted when this process shall stop. */
  readonly signal: AbortSignal
  readonly supervisor: Supervisor | undefined
  /** Called when the user insists: nothing may wait any more. */
  onForce(act: () => void): void
  wasInterrupted(): boolean
}

/**
 * Ctrl-C reaches every process of a terminal, and a launcher passes it on besides: two within this time are one, and
 * no one presses twice so fast.
 */
const SAME_SIGNAL_MS = 250
const PARENT_CHECK_MS = 500

/** Watches signals and the process above. Call once, before anything else can fail. */
export function watchProcess(): Runtime {
  const controller = new AbortController()
  const isSupervised = process.env.MEMO_SUPERVISED === '1' && process.send !== undefined
  const hasParent = isSupervised || (process.env.MEMO_LAUNCHED === '1' && process.send !== undefined)
  let force: () => unknown = () => undefined
  let stoppedAtMs: number | undefined
  const stop = (why: string) => {
    if (stoppedAtMs === undefined) {
      stoppedAtMs = performance.now()
      controller.abort(new InterruptedError(why))
    } else if (performance.now() - stoppedAtMs > SAME_SIGNAL_MS) {
      force()
      process.exit(EXIT.interrupted)
    }
  }
  // The supervisor decides in which order its processes stop; what the terminal sends to all of them is its business.
  process.on('SIGINT', () => isSupervised || stop('interrupted'))
  process.on('SIGHUP', () => isSupervised || stop('the terminal was closed'))
  process.on('SIGTERM', () => stop('asked to stop'))
  const orphaned = () => stop('the process that started this one is gone')
  if (hasParent) process.on('disconnect', orphaned)
  else if (process.env.npm_lifecycle_event !== undefined) watchParent(orphaned)
  return {
    signal: controller.signal,
    supervisor: isSupervised ? connectSupervisor() : undefined,
    onForce(act) {
      force = act
    },
    wasInterrupted: () => stoppedAtMs !== undefined,
  }
}

/**
 * npm starts scripts through a shell that passes no signal on: whoever ends npm ends that shell, and would leave this
 * process behind. Elsewhere a parent may go, as after nohup.
 */
function watchParent(orphaned: () => void): void {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    orphaned()
  }, PARENT_CHECK_MS)
  timer.unref()
}

function connectSupervisor(): Supervisor {
  const go = Promise.withResolvers<void>()
  let funded = Promise.withResolvers<void>()
  process.on('message', (message: ParentMessage) => {
    if (message.type === 'go') go.resolve()
    else if (message.error) funded.reject(errorFromEnvelope(message.error))
    else funded.resolve()
  })
  const send = (message: ChildMessage) => {
    if (process.connected) process.send?.(message)
  }
  return {
    send,
    async waitForGo(signal) {
      send({ type: 'set-up' })
      await raceAbort(go.promise, signal)
    },
    async requestFunds({ to, memoAtto, gasWei }) {
      funded = Promise.withResolvers<void>()
      send({ type: 'need-funds', to, memoAtto: `${memoAtto}`, gasWei: `${gasWei}` })
      await funded.promise
    },
  }
}

/** `work`, or the reason of `signal` when it is aborted first. */
export async function raceAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined) // after an abort nobody waits for it any more
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Resolves when this process shall stop. */
export async function untilStopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/** How an error travels to the supervisor. */
export function failureOf(error: unknown): ChildMessage {
  return { type: 'failed', error: envelopeFromError(error) }
}
