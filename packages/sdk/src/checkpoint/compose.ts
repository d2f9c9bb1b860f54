import { countKeptLinks, encodePlacement, hex32, NotFoundError, type Placement, type SignedEntry } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { findPart } from '../index/find-part.ts'
import type { LogPlace } from '../index/read-log.ts'
import { findMark } from './mark.ts'
import type { StoredCheckpoint } from './plan.ts'

/** What a new checkpoint holds. */
export type CheckpointDraft = {
  /** One at the least. */
  readonly entries: readonly SignedEntry[]
  readonly placements: readonly Placement[]
  /** Those that it links to. */
  readonly links: readonly (StoredCheckpoint & { readonly placement: Placement })[]
  /** Parts of live objects that no keeper knows which answered. */
  readonly lacking: number
  /** Whether all entries that there were are in it. */
  readonly isComplete: boolean
}

export type ComposeOptions = {
  readonly did: string
  readonly live: ReadonlyMap<number, SignedEntry>
  readonly inForce: readonly StoredCheckpoint[]
  /** Entries of the log after a place. */
  readonly readEntries: (after: LogPlace) => Promise<readonly SignedEntry[]>
  readonly mostBytes: number
  readonly signal: AbortSignal
}

/** A placement's fields and an entry's signature, about. */
const RECORD_BYTES = 80
const ENTRIES_AT_ONCE = 64
const PARTS_ASKED_AT_ONCE = 8

/**
 * What no checkpoint covers, as far as it fits into one, and of the earlier ones those that are to be merged into it. Where parts
 * lie is asked anew, also for those that are merged: repair moves pieces. Errors: as for reading the index.
 */
export async function composeCheckpoint(context: StorageContext, options: ComposeOptions): Promise<CheckpointDraft> {
  const { did, inForce, readEntries, mostBytes, signal } = options
  const uncovered = await readEntries(inForce.at(-1)?.mark)
  const added = await gather(context, options, uncovered, mostBytes)
  const sizes = inForce.map(({ sizeBytes }) => sizeBytes)
  const kept = inForce.slice(0, countKeptLinks(sizes, added.bytes, mostBytes))
  const isComplete = added.entries.length === uncovered.length
  const links: (StoredCheckpoint & { placement: Placement })[] = []
  for (const link of kept) {
    links.push({ ...link, placement: await placementOf(context, did, link, signal) })
  }
  if (kept.length === inForce.length) return { ...added, links, isComplete }
  const end = added.entries.at(-1)?.entry.seq ?? 0
  const all = (await readEntries(kept.at(-1)?.mark)).filter(({ entry }) => entry.seq <= end)
  return { ...(await gather(context, options, all, Number.POSITIVE_INFINITY)), links, isComplete }
}

/** Where a stored checkpoint lies now. Errors: NotFoundError when no keeper that answers knows. */
export async function placementOf(
  context: StorageContext,
  did: string,
  { mark, partIds }: StoredCheckpoint,
  signal: AbortSignal,
): Promise<Placement> {
  const [partId] = partIds
  const part = partId && (await findPart(context, partId, did, signal))
  if (part) return part.placement
  const message = `no keeper that answers knows where the checkpoint up to entry ${mark.seq} is`
  throw new NotFoundError(message, { blame: 'keeper', retry: 'later', details: { did } })
}

type Gathered = Pick<CheckpointDraft, 'entries' | 'placements' | 'lacking'> & { readonly bytes: number }

/** Entries from the first one on, as long as they stay under `mostBytes`, with the placements of what they put and nobody deleted. */
async function gather(
  context: StorageContext,
  { did, live, signal }: ComposeOptions,
  entries: readonly SignedEntry[],
  mostBytes: number,
): Promise<Gathered> {
  const placements = new Map<string, Placement>()
  const taken: SignedEntry[] = []
  let lacking = 0
  let bytes = 0
  const partIdsOf = (signed: SignedEntry) => {
    const { action, seq } = signed.entry
    return action.kind === 'put' && live.has(seq) && !findMark(signed) ? action.partIds : []
  }
  for (let at = 0; at < entries.length; at += ENTRIES_AT_ONCE) {
    const some = entries.slice(at, at + ENTRIES_AT_ONCE)
    const found = await findPlacements(context, did, some.flatMap(partIdsOf), placements, signal)
    for (const signed of some) {
      const named = [...new Set(partIdsOf(signed).map(hex32))].filter((key) => !placements.has(key))
      const added = named.flatMap((key) => found.get(key) ?? [])
      const size = added.reduce((sum, part) => sum + encodePlacement(part).length, signed.bytes.length + RECORD_BYTES)
      if (taken.length > 0 && bytes + size > mostBytes)
        return { entries: taken, placements: [...placements.values()], lacking, bytes }
      for (const placement of added) placements.set(hex32(placement.partId), placement)
      taken.push(signed)
      lacking += named.length - added.length
      bytes += size
    }
  }
  return { entries: taken, placements: [...placements.values()], lacking, bytes }
}

/** Where these parts lie, by part id, but for those that are known. */
async function findPlacements(
  context: StorageContext,
  did: string,
  partIds: readonly Uint8Array[],
  known: ReadonlyMap<string, Placement>,
  signal: AbortSignal,
): Promise<Map<string, Placement>> {
  const found = new Map<string, Placement>()
  const wanted = new Map(partIds.map((partId) => [hex32(partId), partId]))
  const questions = [...wanted].filter(([key]) => !known.has(key))
  const ask = async () => {
    for (let next = questions.pop(); next; next = questions.pop()) {
      const [key, partId] = next
      const part = await findPart(context, partId, did, signal)
      if (part) found.set(key, part.placement)
    }
  }
  await Promise.all(Array.from({ length: PARTS_ASKED_AT_ONCE }, ask))
  return found
}
