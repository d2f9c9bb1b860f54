import { type Address, hex32, MemoError, NotFoundError } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { type DeletedPiece, discardPieces } from '../put/discard.ts'
import { findPart } from './find-part.ts'
import { objectOf, readLogs } from './objects.ts'
import type { OwnLogs } from './own-log.ts'
import { livePuts, sharedParts } from './shared-parts.ts'

/** What a removal did. */
export type Removal = {
  /** Number of the entry that deletes, in this account's log. */
  readonly seq: number
  /** By piece; what is not deleted costs its provider space until the receipt expires. */
  readonly pieces: readonly DeletedPiece[]
}

/**
 * Deletes an object: first in the index, so that nobody finds it any more, then its pieces at their providers, except
 * those that other objects need (`spec/sdk.md` 8).
 *
 * @throws NotFoundError when there is no such live object; NotDurableError when too few keepers took the deletion
 */
export async function removeObject(
  context: StorageContext,
  logs: OwnLogs,
  did: string,
  object: { readonly writer: Address; readonly seq: number },
  given: AbortSignal | undefined,
): Promise<Removal> {
  const { writer, seq } = object
  const signal = AbortSignal.any([context.closed, ...(given ? [given] : [])])
  const entries = await readLogs(context, did, { signal, writer: context.ports.signer.address, all: true })
  const live = livePuts(entries)
  const target = live.find(({ entry }) => entry.writer === writer && entry.seq === seq)
  if (!target) throw new NotFoundError(`${did} has no object ${seq} in the log of ${writer}`)
  const done = await logs.append(did, () => ({ action: { kind: 'delete', writer, seq }, parts: [] }), signal)
  const shared = await sharedParts(context, target, live, signal)
  const pieces: DeletedPiece[] = []
  const { partIds } = objectOf(target, undefined)
  for (const partId of new Map(partIds.map((id) => [hex32(id), id])).values()) {
    pieces.push(...(await removePart(context, did, partId, shared.has(hex32(partId)), signal)))
  }
  return { seq: 'signed' in done ? done.signed.entry.seq : 0, pieces }
}

async function removePart(
  context: StorageContext,
  did: string,
  partId: Uint8Array,
  isShared: boolean,
  signal: AbortSignal,
): Promise<DeletedPiece[]> {
  const part = await findPart(context, partId, did, signal)
  const held = (part?.placement.pieces ?? []).flatMap((piece, index) =>
    part?.receipts[index] ? [{ provider: piece.provider, root: piece.root }] : [],
  )
  if (isShared) {
    return held.map(({ provider, root }) => ({
      provider,
      root: hex32(root),
      deleted: false,
      reason: 'another object may need it',
    }))
  }
  const pieces = await Promise.all(
    held.map(async ({ provider, root }) => {
      try {
        return [{ provider: await context.directory.getProvider(provider), root }]
      } catch (thrown) {
        if (!(thrown instanceof MemoError)) throw thrown
        return [] // whoever is no provider any more keeps nothing
      }
    }),
  )
  return await discardPieces(context, pieces.flat(), { isClear: false, partId, owner: did })
}
