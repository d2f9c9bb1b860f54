import { type Clock, MemoError, type Timers } from '@memo/core'
import type { MemoDid } from '@memo/did'
import type { CheckpointResult, Storage } from '@memo/sdk'
import type { GatewayEventSink } from '../events.ts'
import type { ChangedLog, ChangedLogs } from './changed-logs.ts'

/** When checkpoints are written, and what they may cost. */
export type CheckpointPolicy = {
  /** A log with so many entries that no checkpoint covers gets one. */
  readonly checkpointEntries: number
  /** So does one whose first such entry is so old. */
  readonly checkpointMs: number
  /** Gas for all checkpoints together; what is not used is saved up for an hour. */
  readonly checkpointGasPerHour: number
}

export const DEFAULT_CHECKPOINT_POLICY: CheckpointPolicy = {
  checkpointEntries: 256,
  checkpointMs: 3_600_000,
  checkpointGasPerHour: 30_000_000,
}

/** Writes checkpoints of logs that have changed, a few at a time (`spec/checkpoint.md` 10). */
export type Checkpointer = {
  /** Goes on until `signal` is aborted. */
  run(signal: AbortSignal): Promise<void>
}

export type CheckpointerPorts = {
  readonly storage: Pick<Storage, 'writeCheckpoint'>
  readonly changed: ChangedLogs
  readonly clock: Clock
  readonly timers: Timers
  /** Redundancy of checkpoints. */
  readonly policy: string
  readonly limits: CheckpointPolicy
  /** The key by which the DID has logged in last. */
  readonly findKey: (did: MemoDid) => Promise<Uint8Array | undefined>
  readonly log: GatewayEventSink
}

const HOUR_MS = 3_600_000
const TICK_MS = 1_000
const AT_ONCE = 4
/** So many failures in a row are not the fault of the logs: the others wait for the next tick. */
const FAILURES_IN_A_ROW = 4
const RETRY_MS = 5_000
const MAX_RETRY_MS = HOUR_MS
/** Of one log in one turn: a long log is written in several. */
const CHECKPOINTS_IN_A_ROW = 16

export function createCheckpointer(ports: CheckpointerPorts): Checkpointer {
  const { storage, changed, clock, timers, policy, limits, findKey, log } = ports
  const retries = new Map<MemoDid, { readonly atMs: number; readonly failures: number }>()
  const gas = createGasBudget(clock, limits.checkpointGasPerHour)
  let failuresInARow = 0
  let isWaitingForGas = false

  const tellWritten = (result: CheckpointResult, startedMs: number) => {
    const { gasUsed, costWei, ...rest } = result
    const { did, seq, sizeBytes, lacking } = result
    const but = lacking > 0 ? `, but not where ${lacking} parts lie, which no keeper knew` : ''
    log({
      type: 'checkpoint-written',
      level: lacking > 0 ? 'warn' : 'info',
      message: `the chain remembers the log of ${did} up to entry ${seq} (${sizeBytes} bytes, ${gasUsed} gas)${but}`,
      ...rest,
      gasUsed: Number(gasUsed),
      costWei: `${costWei}`,
      ms: clock.nowMs() - startedMs,
    })
  }
  const write = async ({ did }: ChangedLog, signal: AbortSignal): Promise<void> => {
    const key = await findKey(did)
    for (let i = 0; i < CHECKPOINTS_IN_A_ROW; i++) {
      const startedMs = clock.nowMs()
      const result = await storage.writeCheckpoint(did, { readers: key ? [key] : [], policy, signal })
      if (!result) return
      gas.spend(Number(result.gasUsed))
      tellWritten(result, startedMs)
      if (result.isComplete) return
    }
  }
  const tellFailed = (did: MemoDid, error: MemoError, failures: number, retryMs: number) =>
    log({
      type: 'checkpoint-failed',
      level: 'warn',
      message: `no checkpoint of ${did} could be written: ${error.message}`,
      did,
      error: error.name,
      failures,
      retryMs,
    })
  const attempt = async (changedLog: ChangedLog, signal: AbortSignal): Promise<void> => {
    const { did } = changedLog
    try {
      await write(changedLog, signal)
      await changed.cover(changedLog)
      retries.delete(did)
      failuresInARow = 0
    } catch (thrown) {
      if (signal.aborted) return
      if (!(thrown instanceof MemoError)) throw thrown
      const failures = (retries.get(did)?.failures ?? 0) + 1
      const retryMs = Math.min(RETRY_MS * 2 ** (failures - 1), MAX_RETRY_MS)
      retries.set(did, { atMs: clock.nowMs() + retryMs, failures })
      failuresInARow += 1
      tellFailed(did, thrown, failures, retryMs)
    }
  }
  const hasGas = (): boolean => {
    const isDry = gas.isDry()
    if (isDry && !isWaitingForGas) {
      const message = `checkpoints wait: ${limits.checkpointGasPerHour} gas an hour are used up`
      log({ type: 'checkpoints-wait', level: 'warn', message, gasPerHour: limits.checkpointGasPerHour })
    }
    isWaitingForGas = isDry
    return !isDry
  }
  const writeDue = async (signal: AbortSignal): Promise<void> => {
    if (isWaitingForGas && gas.isDry()) return
    const due = changed
      .listDue({ entries: limits.checkpointEntries, ageMs: limits.checkpointMs })
      .filter(({ did }) => (retries.get(did)?.atMs ?? 0) <= clock.nowMs())
      .reverse()
    failuresInARow = 0
    const worker = async () => {
      while (due.length > 0 && failuresInARow < FAILURES_IN_A_ROW && !signal.aborted && hasGas()) {
        await attempt(due.pop() as ChangedLog, signal)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
  }
  return {
    async run(signal) {
      while (!signal.aborted) {
        await writeDue(signal)
        try {
          await timers.sleep(TICK_MS, signal)
        } catch {
          return // stopped while it waited
        }
      }
    },
  }
}

/** Gas that comes back evenly over the hour. What one checkpoint takes is known only when it is written. */
function createGasBudget(clock: Clock, perHour: number) {
  let left = perHour
  let atMs = clock.nowMs()
  const refill = () => {
    const nowMs = clock.nowMs()
    left = Math.min(perHour, left + (Math.max(0, nowMs - atMs) / HOUR_MS) * perHour)
    atMs = nowMs
  }
  return {
    isDry() {
      refill()
      return left <= 0
    },
    spend(used: number) {
      refill()
      left -= used
    },
  }
}
