import { randomBytes } from 'node:crypto'
import type { Clock, Randomness, Timers } from '@memo/core'
import { plainBytes } from './plain-bytes.ts'

/** The longest sleep that a timer of Node can hold; longer ones are slept in stretches. */
const MAX_TIMER_MS = 2_147_483_647

/** The clock of this machine. */
export function createSystemClock(): Clock {
  return { nowMs: () => Date.now() }
}

/** Waiting in real time. A sleep that nobody else waits for keeps the process alive. */
export function createSystemTimers(): Timers {
  return {
    // By hand: every exchange has a deadline, and the timer of `node:timers/promises` makes an error with its stack for
    // each one that is not reached.
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) {
          reject(signal.reason)
          return
        }
        let left = Math.max(0, ms)
        let timer: NodeJS.Timeout
        const abort = () => {
          clearTimeout(timer)
          reject(signal?.reason)
        }
        const next = () => {
          const stretch = Math.min(left, MAX_TIMER_MS)
          left -= stretch
          timer = setTimeout(left > 0 ? next : end, stretch)
        }
        const end = () => {
          signal?.removeEventListener('abort', abort)
          resolve()
        }
        signal?.addEventListener('abort', abort, { once: true })
        next()
      }),
  }
}

/** Unpredictable bytes from the operating system. */
export function createSystemRandomness(): Randomness {
  return { bytes: (length) => plainBytes(randomBytes(length)) }
}
