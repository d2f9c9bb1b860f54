import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { errorFromEnvelope } from '@memo/core'
import { ProcessFailedError } from '../errors.ts'
import type { ChildMessage, ParentMessage } from '../runtime.ts'

export type ChildRole = 'chain' | 'keeper' | 'provider' | 'gateway'

export type ChildOptions = {
  readonly name: string
  readonly role: ChildRole
  /** Arguments of the memo command. */
  readonly args: readonly string[]
  readonly logFile: string
  /** Whether it is started again when it ends unasked. */
  readonly restarts: boolean
  readonly onEvent: (event: ChildEvent) => void
  readonly onFundsWanted: (funds: { to: string; memoAtto: bigint; gasWei: bigint }) => Promise<ParentMessage>
}

export type ChildEvent =
  | { readonly type: 'ready'; readonly url: string; readonly isAgain: boolean }
  | {
      readonly type: 'exit'
      readonly code: number | null
      readonly signal: string | null
      readonly restartInMs?: number
    }

/** One process of a local network, kept running. */
export type Child = {
  readonly name: string
  readonly role: ChildRole
  /** Process id; undefined while it is down. */
  pid(): number | undefined
  url(): string
  address(): string | undefined
  details(): unknown
  start(): void
  /** Resolves when it serves; rejects when it ends before. */
  whenReady(): Promise<void>
  /** Whom it needs to serve is there: it may begin to. */
  go(): void
  /** Ends it and resolves when it has ended: asked first, by force after `graceMs`. It is not started again. */
  stop(graceMs: number): Promise<void>
  /** By force, at once. It stays down until `start`. */
  kill(): Promise<void>
}

const FIRST_BACKOFF_MS = 500
const MAX_BACKOFF_MS = 30_000
/** Who ran for so long starts with the first back-off again. */
const STEADY_MS = 60_000
const MAX_LOG_BYTES = 10 * 1024 ** 2
const MAIN = join(import.meta.dirname, '..', import.meta.filename.endsWith('.ts') ? 'main.ts' : 'main.js')
const NODE_FLAGS = [
  '--disable-warning=ExperimentalWarning',
  // Buffers of sockets count as old memory: with less to begin with, a third of the time went into collecting it.
  '--initial-old-space-size=96',
  '--max-semi-space-size=4',
  ...(import.meta.filename.endsWith('.ts') ? ['--conditions=source'] : []),
]

export function createChild(options: ChildOptions): Child {
  const { name, role } = options
  let child: ChildProcess | undefined
  let info: Extract<ChildMessage, { type: 'ready' }> | undefined
  let wantsUp = false
  let isGo = false
  let failures = 0
  let timer: NodeJS.Timeout | undefined
  let ready = Promise.withResolvers<void>()
  ready.promise.catch(() => undefined) // whoever waits is told; a later crash may find nobody waiting

  const tell = (message: ParentMessage) => child?.connected && child.send(message)
  const start = () => {
    wantsUp = true
    clearTimeout(timer)
    if (child) return
    ready = Promise.withResolvers<void>()
    ready.promise.catch(() => undefined) // as above
    child = launch(options)
    const startedMs = performance.now()
    let failure: Error | undefined
    child.on('message', (message: ChildMessage) => {
      if (message.type === 'set-up' && isGo) tell({ type: 'go' })
      else if (message.type === 'failed') failure = errorFromEnvelope(message.error)
      else if (message.type === 'ready') {
        const isAgain = info !== undefined
        info = message
        options.onEvent({ type: 'ready', url: message.url, isAgain })
        ready.resolve()
      } else if (message.type === 'need-funds') {
        const { to, memoAtto, gasWei } = message
        void options.onFundsWanted({ to, memoAtto: BigInt(memoAtto), gasWei: BigInt(gasWei) }).then(tell)
      }
    })
    child.once('error', (error) => {
      failure = error
    })
    child.once('close', (code, signal) => {
      child = undefined
      ready.reject(failure ?? endedEarly(options, code, signal))
      const ranMs = performance.now() - startedMs
      failures = ranMs > STEADY_MS ? 0 : failures + 1
      const backOffMs = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (failures - 1))
      const restarts = wantsUp && options.restarts && info !== undefined
      options.onEvent({ type: 'exit', code, signal, ...(restarts ? { restartInMs: backOffMs } : {}) })
      if (restarts) timer = setTimeout(start, backOffMs)
    })
  }
  const end = async (signal: NodeJS.Signals, graceMs: number) => {
    wantsUp = false
    clearTimeout(timer)
    const running = child
    if (!running) return
    const closed = once(running, 'close')
    running.kill(signal)
    const force = setTimeout(() => running.kill('SIGKILL'), graceMs)
    await closed
    clearTimeout(force)
  }
  return {
    name,
    role,
    pid: () => child?.pid,
    url: () => info?.url ?? '',
    address: () => info?.address,
    details: () => info?.details,
    start,
    whenReady: () => ready.promise,
    go() {
      isGo = true
      tell({ type: 'go' })
    },
    stop: (graceMs) => end('SIGTERM', graceMs),
    kill: () => end('SIGKILL', 0),
  }
}

function launch({ args, logFile }: ChildOptions): ChildProcess {
  const log = openLog(logFile)
  try {
    return spawn(process.execPath, [...NODE_FLAGS, MAIN, ...args], {
      // Without the channel, which ends with this process, a child would outlive it.
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...process.env, MEMO_SUPERVISED: '1' },
    })
  } finally {
    closeSync(log)
  }
}

/** The log of a process, appended to; the one before is kept when it has grown large. */
function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size > MAX_LOG_BYTES) renameSync(path, `${path}.1`)
  return openSync(path, 'a', 0o600)
}

function endedEarly(options: ChildOptions, code: number | null, signal: string | null): ProcessFailedError {
  const how = signal === null ? `ended with code ${code}` : `was ended by ${signal}`
  return new ProcessFailedError(`${options.name} ${how} before it was ready`, {
    blame: 'us',
    retry: 'later',
    fix: `Look at ${options.logFile}`,
  })
}
