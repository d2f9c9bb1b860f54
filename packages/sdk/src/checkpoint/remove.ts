import type { StorageContext } from '../context.ts'
import { findPart } from '../index/find-part.ts'
import type { OwnLogs } from '../index/own-log.ts'
import { listHeld } from '../index/remove.ts'
import { discardPieces } from '../put/discard.ts'
import type { StoredCheckpoint } from './plan.ts'

/** Deletes a checkpoint that nothing leads to any more: from the log, then its pieces as well as that goes. */
export async function removeCheckpoint(
  context: StorageContext,
  logs: OwnLogs,
  did: string,
  { entrySeq, partIds }: Pick<StoredCheckpoint, 'entrySeq' | 'partIds'>,
  signal: AbortSignal,
): Promise<void> {
  const writer = context.ports.signer.address
  const found = await Promise.all(partIds.map(async (partId) => await findPart(context, partId, did, signal)))
  const released = found.filter((part) => part !== undefined)
  const done = await logs.append(
    did,
    (live) =>
      live.has(entrySeq)
        ? { action: { kind: 'delete', writer, seq: entrySeq }, parts: [], released }
        : { found: 'deleted by another call' },
    signal,
  )
  if ('found' in done) return
  // Its stored bytes are sealed, but anyone may have put the same: keepers know.
  for (const part of released) await discardPieces(context, logs, await listHeld(context, part), true)
}
