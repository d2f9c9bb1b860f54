import { MemoError, type Timers } from '@memo/core'
import type { Storage, SweepOptions } from '@memo/sdk'
import type { GatewayEventSink } from './events.ts'

export type OrphanSweepOptions = {
  readonly storage: Pick<Storage, 'sweep'>
  readonly timers: Timers
  readonly graceMs: SweepOptions['graceMs']
  /** What another one with the same key needs, this one may know nothing of. */
  readonly maySweep: () => boolean
  readonly log: GatewayEventSink
}

/** Rest between two passes. */
const REST_MS = 3_600_000

/**
 * Gives up what uploads that were cut off have left under orders, soon after the start and once an hour (`spec/sdk.md` 20), until
 * `signal` is aborted. What fails is tried in the next pass.
 */
export async function runOrphanSweep(options: OrphanSweepOptions, signal: AbortSignal): Promise<void> {
  const { timers, log } = options
  while (!signal.aborted) {
    try {
      if (options.maySweep()) await sweepOnce(options, signal)
    } catch (thrown) {
      if (signal.aborted) return
      if (!(thrown instanceof MemoError)) throw thrown
      const message = `what uploads left behind cannot be looked for yet: ${thrown.message}`
      log({ type: 'orphans-wait', level: 'warn', message, error: thrown.name })
    }
    await timers.sleep(REST_MS, signal).catch(() => undefined) // only a stop ends it early
  }
}

async function sweepOnce({ storage, graceMs, log }: OrphanSweepOptions, signal: AbortSignal): Promise<void> {
  const { givenUp, kept } = await storage.sweep({ graceMs, signal })
  if (givenUp.pieces > 0) {
    const message = `${givenUp.pieces} pieces of ${givenUp.bytes} bytes that no object needs were given up`
    log({ type: 'orphans-given-up', level: 'info', message, ...givenUp })
  }
  if (kept.pieces > 0) {
    const message = `${kept.pieces} pieces of ${kept.bytes} bytes are kept and paid for, though perhaps no object needs them`
    log({ type: 'orphans-kept', level: 'warn', message, ...kept })
  }
}
