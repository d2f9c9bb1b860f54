import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
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
    async sleep(ms, signal) {
      signal?.throwIfAborted()
      try {
        let left = Math.max(0, ms)
        do {
          await wait(Math.min(left, MAX_TIMER_MS), undefined, signal ? { signal } : {})
          left -= MAX_TIMER_MS
        } while (left > 0)
      } catch (error) {
        throw signal?.aborted ? signal.reason : error
      }
    },
  }
}

/** Unpredictable bytes from the operating system. */
export function createSystemRandomness(): Randomness {
  return { bytes: (length) => plainBytes(randomBytes(length)) }
}
