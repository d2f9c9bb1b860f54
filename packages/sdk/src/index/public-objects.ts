import { canonicalCid, hex32, type Manifest, openManifest, type SignedEntry } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { KeepersUnreachableError } from '../errors.ts'
import { askKeepers } from '../nodes/ask-keepers.ts'
import { keyOf, objectOf, type StoredObject } from './objects.ts'

/**
 * The newest live public object with this CID whose manifest does not contradict its entry. Anyone may publish under any
 * CID: that the bytes have it shows when all of them are read. Errors as for {@link listPublicObjects}.
 */
export async function findPublicObject(
  context: StorageContext,
  cid: string,
  signal: AbortSignal | undefined,
): Promise<StoredObject | undefined> {
  const objects = await listPublicObjects(context, cid, signal)
  return objects.find((object) => object.manifest && isManifestOf(object.manifest, object))
}

/** Whether a manifest in clear speaks of what its entry names, and of nothing else. */
function isManifestOf({ parts, sizeBytes, contentKey }: Manifest, object: StoredObject): boolean {
  const named = new Set(object.partIds.map(hex32))
  const storedBytes = parts.reduce((sum, part) => sum + part.length, 0)
  const isWhole = sizeBytes === object.sizeBytes && storedBytes === sizeBytes && contentKey === undefined
  return isWhole && parts.every((part) => named.has(hex32(part.partId)))
}

/**
 * Live public objects with this CID, newest first, as all keepers that answer know them. What their entries say was
 * signed by their writers.
 *
 * @throws BadCidError; KeepersUnreachableError when no keeper answers
 */
export async function listPublicObjects(
  context: StorageContext,
  text: string,
  signal: AbortSignal | undefined,
): Promise<StoredObject[]> {
  const cid = canonicalCid(text)
  const { answers, faults } = await askKeepers(context, signal, async (keeper, inner) => {
    return await keeper.findPublic(cid, { signal: inner })
  })
  if (answers.length === 0) throw new KeepersUnreachableError(`whether there is a public object ${cid}`, faults)
  const found = new Map<string, SignedEntry>()
  for (const signed of answers.flatMap(({ answer }) => answer).filter((entry) => isObjectOf(entry, cid))) {
    found.set(keyOf(signed.entry.writer, signed.entry.seq) + signed.entry.did, signed)
  }
  return [...found.values()].map((signed) => objectOf(signed, undefined)).sort((a, b) => b.createdAt - a.createdAt)
}

/** The CID that a reader checks stands in the manifest: an entry that shows another one is a lure. */
function isObjectOf({ entry }: SignedEntry, cid: string): boolean {
  const { action } = entry
  if (action.kind !== 'put' || !action.isPublic || action.cid !== cid || action.manifest.kind !== 'clear') return false
  return openManifest(action.manifest)?.cid === cid
}
