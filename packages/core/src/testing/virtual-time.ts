import { MemoError } from '../errors/index.ts'
import type { Clock, Timers } from '../ports.ts'

/** Time that moves only when it is told to, or when all that runs waits for it. */
export type VirtualTime = {
  readonly clock: Clock
  readonly timers: Timers
  /** A clock that is wrong by `offsetMs`. */
  skewedClock(offsetMs: number): Clock
  /** Lets run what does not wait for time. */
  settle(): Promise<void>
  /** Moves time on by `ms`; sleeps that end on the way end in their order, each at its own time. */
  advance(ms: number): Promise<void>
  /** Waits for `work`, moving time to the next sleep's end whenever all else waits. Errors: {@link StalledError}. */
  run<T>(work: Promise<T>): Promise<T>
  /** Sleeps that have not ended. */
  sleeping(): number
}

/** The work of a simulation waits for something that no sleep will bring. */
export class StalledError extends MemoError {
  override readonly name: string = 'StalledError'
  constructor(nowMs: number) {
    super(`nothing moves at ${nowMs} ms: the work waits for what will never come`, {
      blame: 'us',
      retry: 'never',
      fix: 'Look for an exchange without a deadline, or for work outside of virtual time.',
      details: { nowMs },
    })
  }
}

type Sleep = { readonly at: number; readonly order: number; readonly wake: () => void }

/** 2026-01-01: a start that reads as a date in traces. */
const DEFAULT_START_MS = 1_767_225_600_000
/** Real milliseconds that {@link VirtualTime.run} waits for work that waits for no sleep, such as a real disk. */
const MAX_IDLE_MS = 10_000

/** `maxIdleMs`: see {@link StalledError}; longer where work waits for a slow real disk. */
export function createVirtualTime(startMs: number = DEFAULT_START_MS, maxIdleMs: number = MAX_IDLE_MS): VirtualTime {
  const sleeps: Sleep[] = [] // by time, then by the order in which they began
  let nowMs = startMs
  let order = 0

  const wakeNext = (): void => {
    const next = sleeps.shift()
    if (!next) return
    nowMs = Math.max(nowMs, next.at)
    next.wake()
  }
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason)
        return
      }
      const cancel = () => {
        sleeps.splice(sleeps.indexOf(entry), 1)
        reject(signal?.reason)
      }
      const wake = () => {
        signal?.removeEventListener('abort', cancel)
        resolve()
      }
      const entry: Sleep = { at: nowMs + Math.max(0, ms), order: order++, wake }
      signal?.addEventListener('abort', cancel, { once: true })
      sleeps.splice(placeOf(sleeps, entry), 0, entry)
    })

  return {
    clock: { nowMs: () => nowMs },
    timers: { sleep },
    skewedClock: (offsetMs) => ({ nowMs: () => nowMs + offsetMs }),
    settle,
    async advance(ms) {
      const end = nowMs + ms
      await settle()
      for (let next = sleeps[0]; next && next.at <= end; next = sleeps[0]) {
        wakeNext()
        await settle()
      }
      nowMs = end
    },
    async run(work) {
      let ended = false
      const mark = () => {
        ended = true
      }
      work.then(mark, mark)
      await settle()
      for (let idleMs = 0; !ended; ) {
        if (sleeps.length > 0) {
          idleMs = 0
          wakeNext()
        } else {
          if (idleMs++ > maxIdleMs) throw new StalledError(nowMs)
          await turn(1)
        }
        await settle()
      }
      return await work
    },
    sleeping: () => sleeps.length,
  }
}

/** One turn of the real event loop: by its end, all promises that could be resolved have been. */
async function settle(): Promise<void> {
  await turn(0)
}

function turn(ms: number): Promise<void> {
  const { setImmediate: immediate } = globalThis as { setImmediate?: (run: () => void) => unknown }
  return new Promise((resolve) => {
    if (ms === 0 && immediate) immediate(resolve)
    else setTimeout(resolve, ms)
  })
}

function placeOf(sleeps: readonly Sleep[], entry: Sleep): number {
  let low = 0
  let high = sleeps.length
  while (low < high) {
    const middle = (low + high) >> 1
    const other = sleeps[middle]!
    if (other.at < entry.at || (other.at === entry.at && other.order < entry.order)) low = middle + 1
    else high = middle
  }
  return low
}
