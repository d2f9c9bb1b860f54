import type { Clock, Randomness, Timers } from '@memo/core'
import { describeClock, describeRandomness, describeTimers } from '@memo/core/testing'

/** Runs the suites that hold every port in this page. Gives how many claims held, and those that did not. */
export async function runPortSuites(ports: {
  readonly createBrowserClock: () => Clock
  readonly createBrowserTimers: () => Timers
  readonly createBrowserRandomness: () => Randomness
}): Promise<{ held: number; broken: string[] }> {
  const clock = ports.createBrowserClock()
  const cases = [
    ...describeClock('clock', async () => ({ subject: clock })),
    ...describeTimers('timers', async () => ({ subject: ports.createBrowserTimers(), clock })),
    ...describeRandomness('randomness', async () => ({ subject: ports.createBrowserRandomness() })),
  ]
  const broken: string[] = []
  for (const { name, run } of cases) {
    await run().catch((error: unknown) => broken.push(`${name}: ${String(error)}`))
  }
  return { held: cases.length - broken.length, broken }
}
