import {
  type Address,
  hex32,
  MemoError,
  NotFoundError,
  type PlacedPart,
  type SignedEntry,
  sealedBytesOf,
} from '@memo/core'
import type { StorageContext } from '../context.ts'
import { type DeletedPiece, discardPieces, type HeldPiece, keptPiece, NEEDED } from '../put/discard.ts'
import { findPart } from './find-part.ts'
import { deletedIn, keyOf, objectOf, readLogs } from './objects.ts'
import type { OwnLogs } from './own-log.ts'

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
  const { partIds, isPublic, sizeBytes } = objectOf(target, undefined)
  const parts: PlacedPart[] = []
  for (const partId of new Map(partIds.map((id) => [hex32(id), id])).values()) {
    const part = await findPart(context, partId, did, signal)
    if (part) parts.push(part)
  }
  const deletion = { action: { kind: 'delete', writer, seq }, parts: [], released: parts } as const
  const done = await logs.append(did, () => deletion, signal)
  const others = live.filter((signed) => signed !== target).flatMap((signed) => objectOf(signed, undefined).partIds)
  const shared = new Set(others.map(hex32))
  const pieces: DeletedPiece[] = []
  // What is sealed and fills its parts belongs to this DID alone: a stranger who names it must not keep its owner from
  // deleting it. Parts that hold more than the object are shared with others, also of other DIDs.
  const partBytes = parts.reduce((sum, { placement }) => sum + placement.sizeBytes, 0)
  const mayBeShared = isPublic || partBytes > sealedBytesOf(sizeBytes)
  for (const part of parts) {
    const held = await listHeld(context, part)
    const isNeeded = shared.has(hex32(part.placement.partId))
    pieces.push(...(isNeeded ? held.map(keptPiece) : await discardPart(context, logs, held, mayBeShared)))
  }
  return { seq: 'signed' in done ? done.signed.entry.seq : 0, pieces }
}

/** Whoever needs one piece of a part needs all: keepers are asked about the first, and about the others when it went. */
async function discardPart(
  context: StorageContext,
  logs: OwnLogs,
  held: readonly HeldPiece[],
  mayBeShared: boolean,
): Promise<DeletedPiece[]> {
  if (!mayBeShared) return await discardPieces(context, logs, held, false)
  const [first] = await discardPieces(context, logs, held.slice(0, 1), true)
  if (first?.reason === NEEDED) return held.map(keptPiece)
  return [...(first ? [first] : []), ...(await discardPieces(context, logs, held.slice(1), true))]
}

/** The pieces of a part with a receipt. */
export async function listHeld(context: StorageContext, { placement, receipts }: PlacedPart): Promise<HeldPiece[]> {
  const placed = placement.pieces.filter((_, index) => receipts[index])
  const held = await Promise.all(
    placed.map(async ({ provider, root }) => {
      try {
        return [{ provider: await context.directory.getProvider(provider), root }]
      } catch (thrown) {
        if (!(thrown instanceof MemoError)) throw thrown
        return [] // whoever is no provider any more keeps nothing
      }
    }),
  )
  return held.flat()
}

/** Entries that put an object and that no other entry of the same logs deletes. */
function livePuts(logs: readonly (readonly SignedEntry[])[]): SignedEntry[] {
  const deleted = deletedIn(logs)
  return logs.flat().filter(({ entry }) => entry.action.kind === 'put' && !deleted.has(keyOf(entry.writer, entry.seq)))
}
