import type { Clock, PieceInfo, PieceStore } from '@memo/core'
import type { EventSink } from '../events.ts'
import { type Custody, listRecords } from './custody.ts'

export type RecoveryOptions = {
  readonly pieces: PieceStore
  readonly custody: Custody
  readonly clock: Clock
  readonly log: EventSink
  readonly orphanGraceMs: number
}

/**
 * Makes bytes and records agree after a stop of whatever kind, before anything is answered (`spec/provider.md` 8):
 * half-written pieces go, a recorded piece that is missing is remembered as lost, and one that came back is held again.
 */
export async function recoverPieces(options: RecoveryOptions): Promise<void> {
  const { pieces, custody, log } = options
  const { removed } = await pieces.recover()
  if (removed > 0)
    log({ type: 'half-written-removed', level: 'info', message: `${removed} half-written pieces removed` })
  for await (const record of listRecords(custody.book)) {
    const found = await findPiece(pieces, record.root)
    if (found === 'unreadable') await custody.mark(record.root, 'corrupt', 'its file cannot be read')
    else if (!found) await custody.mark(record.root, 'lost', 'a receipt was given for it and its bytes are gone')
    else if (found.sizeBytes !== record.sizeBytes) {
      await custody.mark(record.root, 'corrupt', `it has ${found.sizeBytes} bytes instead of ${record.sizeBytes}`)
    } else if (record.state === 'lost') await custody.mark(record.root, 'held', 'its bytes are there again')
  }
  await sweepOrphans(options)
}

/** One damaged file must not keep the provider from serving all others. */
async function findPiece(pieces: PieceStore, root: string): Promise<PieceInfo | 'unreadable' | undefined> {
  try {
    return await pieces.find(root)
  } catch {
    return 'unreadable' // the caller marks the piece, which says so aloud; the scrub looks again
  }
}

/**
 * Removes pieces that no record speaks of, once they have been seen for the grace. They come from a crash between
 * bytes and record, when no receipt was given, or from an index that is older than the pieces, which its operator may
 * be about to mend: hence the grace.
 */
export async function sweepOrphans(options: RecoveryOptions): Promise<void> {
  const { pieces, custody, clock, log, orphanGraceMs } = options
  const { book, inTurn } = custody
  for await (const { root } of pieces.list()) {
    await inTurn(root, async () => {
      if (await book.find(root)) return
      const seenAtMs = await book.findOrphan(root)
      if (seenAtMs === undefined) {
        await book.markOrphan(root, clock.nowMs())
        log({
          type: 'piece-orphaned',
          level: 'warn',
          message: `piece ${root} is on no record; it will be removed`,
          root,
        })
      } else if (clock.nowMs() - seenAtMs >= orphanGraceMs) {
        await pieces.delete(root)
        await book.forgetOrphan(root)
        log({ type: 'orphan-removed', level: 'info', message: `piece ${root} was on no record and is removed`, root })
      }
    })
  }
}
