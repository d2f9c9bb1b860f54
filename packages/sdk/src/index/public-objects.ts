import { type Address, canonicalCid, hex32, type Manifest, openManifest, type SignedEntry } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { KeepersUnreachableError } from '../errors.ts'
import { askKeepers } from '../nodes/ask-keepers.ts'
import { keyOf, objectOf, type StoredObject } from './objects.ts'

/** Pages of one keeper, of 100 entries at the most, that are looked through for one object. */
const MAX_PAGES = 64

/**
 * The live public object with this CID that keepers have had for longest, whose manifest does not contradict its entry and
 * was not found to be a lure. Anyone may publish under any CID: that the bytes have it shows when all of them are read; who
 * read others asks again, and is given the next. Errors as for {@link listPublicObjects}.
 */
export async function findPublicObject(
  context: StorageContext,
  cid: string,
  signal: AbortSignal | undefined,
): Promise<StoredObject | undefined> {
  for await (const object of listPublicObjects(context, cid, signal)) {
    const { manifest } = object
    if (manifest && isManifestOf(manifest, object) && !context.lures.has(manifest)) return object
  }
  return undefined
}

/** Whether a manifest in clear speaks of what its entry names, and of nothing else. */
function isManifestOf({ parts, sizeBytes, contentKey }: Manifest, object: StoredObject): boolean {
  const named = new Set(object.partIds.map(hex32))
  const storedBytes = parts.reduce((sum, part) => sum + part.length, 0)
  const isWhole = sizeBytes === object.sizeBytes && storedBytes === sizeBytes && contentKey === undefined
  return isWhole && parts.every((part) => named.has(hex32(part.partId)))
}

/**
 * Live public objects with this CID, as all keepers that answer know them, page by page; what one of them had first comes
 * first. What their entries say was signed by their writers.
 *
 * @throws BadCidError; KeepersUnreachableError when no keeper answers
 */
export async function* listPublicObjects(
  context: StorageContext,
  text: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<StoredObject> {
  const cid = canonicalCid(text)
  const seen = new Set<string>()
  /** By keeper: what its next page comes after; undefined when there is none. */
  const cursors = new Map<Address, number | undefined>()
  for (let page = 0; page < MAX_PAGES; page++) {
    const { answers, faults } = await askKeepers(context, signal, async (keeper, inner) => {
      const after = cursors.has(keeper.address) ? cursors.get(keeper.address) : 0
      return after === undefined ? NO_PAGE : await keeper.listPublic(cid, { after, signal: inner })
    })
    if (answers.length === 0) throw new KeepersUnreachableError(`whether there is a public object ${cid}`, faults)
    for (const { keeper, answer } of answers) cursors.set(keeper.address, answer.next)
    for (const signed of inTurns(answers.map(({ answer }) => answer.entries))) {
      const key = keyOf(signed.entry.writer, signed.entry.seq) + signed.entry.did
      if (seen.has(key) || !isObjectOf(signed, cid)) continue
      seen.add(key)
      yield objectOf(signed, undefined)
    }
    if (answers.every(({ answer }) => answer.next === undefined)) return
  }
}

const NO_PAGE = { entries: [], next: undefined }

/** The first of each list, then the second of each, and so on: no keeper puts all of its own before those of others. */
function* inTurns<T>(lists: readonly (readonly T[])[]): Generator<T> {
  const longest = Math.max(0, ...lists.map((list) => list.length))
  for (let i = 0; i < longest; i++) for (const list of lists) if (i < list.length) yield list[i] as T
}

/** The CID that a reader checks stands in the manifest: an entry that shows another one is a lure. */
function isObjectOf({ entry }: SignedEntry, cid: string): boolean {
  const { action } = entry
  if (action.kind !== 'put' || !action.isPublic || action.cid !== cid || action.manifest.kind !== 'clear') return false
  return openManifest(action.manifest)?.cid === cid
}
