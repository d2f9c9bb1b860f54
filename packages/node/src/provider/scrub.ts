import { createPieceHasher, equalBytes, hex32, type PieceStore, type Timers } from '@memo/core'
import type { EventSink } from '../events.ts'
import { type Custody, listRecords } from './custody.ts'
import type { PieceRecord } from './piece-book.ts'

export type ScrubOptions = {
  readonly pieces: PieceStore
  readonly custody: Custody
  readonly timers: Timers
  readonly log: EventSink
  readonly scrubBytesPerSecond: number
}

const MS_PER_SECOND = 1_000

/** What one pass found. */
export type ScrubResult = { readonly checked: number; readonly bad: number }

/**
 * Re-hashes every piece against its root, no faster than the bounded rate (`spec/provider.md` 9). Damage that nobody
 * reads would otherwise be found by an audit, when it is too late to mend. Rejects when `signal` is aborted.
 */
export async function scrubPieces(options: ScrubOptions, signal: AbortSignal): Promise<ScrubResult> {
  const { custody, timers } = options
  let checked = 0
  let bad = 0
  for await (const { root, sizeBytes } of listRecords(custody.book)) {
    signal.throwIfAborted()
    await custody.examine(root, 'found by the scrub', async (record) => {
      const state = await stateOf(options, record)
      if (state !== 'held') bad++
      return state
    })
    checked++
    await timers.sleep((sizeBytes / options.scrubBytesPerSecond) * MS_PER_SECOND, signal)
  }
  return { checked, bad }
}

/** A fault of the disk may pass and is no verdict on the piece: undefined. A wrong hash is one. */
async function stateOf(options: ScrubOptions, record: PieceRecord): Promise<PieceRecord['state'] | undefined> {
  const { pieces, log } = options
  const { root, sizeBytes } = record
  try {
    const stream = await pieces.read(root, 0, sizeBytes)
    const units = await pieces.readUnits(root)
    if (!stream || !units) return 'lost'
    const hasher = createPieceHasher()
    for await (const chunk of stream) hasher.update(chunk)
    const digest = hasher.finish()
    return hex32(digest.root) === root && equalBytes(digest.units, units) ? 'held' : 'corrupt'
  } catch (thrown) {
    const message = `piece ${root} could not be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`
    log({ type: 'piece-unreadable', level: 'error', message, root })
    return undefined
  }
}
