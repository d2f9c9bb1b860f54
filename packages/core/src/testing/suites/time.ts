import { BadInputError } from '../../errors/index.ts'
import type { Clock, Randomness, Timers } from '../../ports.ts'
import { type ConformanceCase, casesOf, claim, claimEqual, type Examined, rejectionOf } from './case.ts'

/** Timers to examine with the clock that they follow. */
export type ExaminedTimers = Examined<Timers> & {
  readonly clock: Clock
  /** Waits for `work` while time passes; only virtual time needs it. */
  readonly run?: <T>(work: Promise<T>) => Promise<T>
}

const YEAR_2020_MS = 1_577_836_800_000
/** Real clocks and timers are not the same clock. */
const TOLERANCE_MS = 2

/** What every clock keeps (`spec/ports.md` 1). */
export function describeClock(name: string, create: () => Promise<Examined<Clock>>): ConformanceCase[] {
  return casesOf(name, create, {
    'the time is in milliseconds since 1970': async (clock) => {
      const nowMs = clock.nowMs()
      claim(Number.isFinite(nowMs) && nowMs > YEAR_2020_MS, `now is ${nowMs}`)
    },
  })
}

/** What all timers keep (`spec/ports.md` 1). */
export function describeTimers(name: string, create: () => Promise<ExaminedTimers>): ConformanceCase[] {
  return casesOf<ExaminedTimers>(name, create, {
    'a sleep takes its time': async (timers, { clock, run = direct }) => {
      const beganMs = clock.nowMs()
      await run(timers.sleep(20))
      claim(clock.nowMs() - beganMs >= 20 - TOLERANCE_MS, 'it ended too early')
    },
    'sleeps end in the order of their ends': async (timers, { run = direct }) => {
      const ended: number[] = []
      const sleeps = [30, 10, 20].map(async (ms) => {
        await timers.sleep(ms)
        ended.push(ms)
      })
      await run(Promise.all(sleeps))
      claimEqual(ended, [10, 20, 30], 'order')
    },
    'no time at all, and less, is a sleep too': async (timers, { run = direct }) => {
      await run(timers.sleep(0))
      await run(timers.sleep(-5))
    },
    'an abort ends a sleep at once with its reason': async (timers, { run = direct }) => {
      const controller = new AbortController()
      const reason = new BadInputError('awake')
      const sleeping = rejectionOf(timers.sleep(3_600_000, controller.signal), 'the sleep')
      controller.abort(reason)
      claim((await run(sleeping)) === reason, 'it rejects with the reason')
    },
    'a sleep that was aborted before it began rejects with the reason': async (timers, { run = direct }) => {
      const reason = new BadInputError('never tired')
      const sleeping = rejectionOf(timers.sleep(3_600_000, AbortSignal.abort(reason)), 'the sleep')
      claim((await run(sleeping)) === reason, 'it rejects with the reason')
    },
    'an abort after the end changes nothing': async (timers, { run = direct }) => {
      const controller = new AbortController()
      await run(timers.sleep(1, controller.signal))
      controller.abort(new BadInputError('late'))
      await run(timers.sleep(1))
    },
  })
}

/** What every randomness keeps (`spec/ports.md` 2). */
export function describeRandomness(name: string, create: () => Promise<Examined<Randomness>>): ConformanceCase[] {
  return casesOf(name, create, {
    'it gives as many bytes as asked for': async (random) => {
      for (const length of [0, 1, 31, 32, 33, 100_000]) claimEqual(random.bytes(length).length, length, 'length')
    },
    'no two draws are alike, and each is the caller’s own': async (random) => {
      const draws = Array.from({ length: 100 }, () => random.bytes(16))
      claimEqual(new Set(draws.map((draw) => draw.join())).size, 100, 'different draws')
      claimEqual(new Set(draws.map((draw) => draw.byteOffset + draw.length)).size >= 1, true, 'views')
      const before = draws[1]!.slice()
      draws[0]!.fill(0)
      claimEqual(draws[1]!.join(), before.join(), 'a draw after another was overwritten')
    },
    'every bit of every byte moves': async (random) => {
      const bytes = random.bytes(4_096)
      const ones = bytes.reduce((all, byte) => all | byte, 0)
      const zeros = bytes.reduce((all, byte) => all & byte, 0xff)
      claimEqual([ones, zeros], [0xff, 0], 'bits seen set, bits never clear')
    },
  })
}

function direct<T>(work: Promise<T>): Promise<T> {
  return work
}
