import type { SignedEntry } from '@memo/core'
import { type CheckpointMark, findMark } from './mark.ts'

/** A checkpoint that is stored as an object of this account's log. */
export type StoredCheckpoint = {
  /** Number of the entry that put it. */
  readonly entrySeq: number
  readonly mark: CheckpointMark
  /** One, or it cannot be published. */
  readonly partIds: readonly Uint8Array[]
  readonly sizeBytes: number
}

export type CheckpointPlan = {
  /** What the chain's slot stands for, oldest first; none where that is not stored any more. */
  readonly inForce: readonly StoredCheckpoint[]
  /** The newest one that was stored and never published, after those that it links to. */
  readonly unpublished: readonly StoredCheckpoint[] | undefined
}

/** What is stored of a log, held against the number that the chain remembers; 0 where it remembers none. */
export function planCheckpoint(live: ReadonlyMap<number, SignedEntry>, publishedSeq: number): CheckpointPlan {
  const stored = listStored(live)
  const chains = stored
    .flatMap((one) => chainOf(stored, one) ?? [])
    .sort((a, b) => a.seq - b.seq || a.entrySeq - b.entrySeq)
  const newest = chains.findLast(({ seq }) => seq > publishedSeq)
  const published = chains.findLast(({ seq }) => seq === publishedSeq)
  return { inForce: published?.all ?? [], unpublished: newest?.all }
}

/** Stored checkpoints that nothing leads to from the one which the chain remembers. */
export function listSuperseded(live: ReadonlyMap<number, SignedEntry>, publishedSeq: number): StoredCheckpoint[] {
  const { inForce } = planCheckpoint(live, publishedSeq)
  const needed = new Set(inForce.map(({ entrySeq }) => entrySeq))
  return listStored(live).filter(({ entrySeq, mark, partIds }) => {
    return partIds.length !== 1 || (mark.seq < publishedSeq && !needed.has(entrySeq))
  })
}

function listStored(live: ReadonlyMap<number, SignedEntry>): StoredCheckpoint[] {
  return [...live].flatMap(([entrySeq, signed]) => {
    const { action } = signed.entry
    const mark = findMark(signed)
    if (action.kind !== 'put' || !mark) return []
    return [{ entrySeq, mark, partIds: action.partIds, sizeBytes: action.sizeBytes }]
  })
}

/** A checkpoint after those that it links to; undefined where one of them is gone, or in several parts. */
function chainOf(stored: readonly StoredCheckpoint[], newest: StoredCheckpoint) {
  const links = newest.mark.links.map((entrySeq) => stored.find((one) => one.entrySeq === entrySeq))
  const all = [...links.filter((link) => link !== undefined), newest]
  const isWhole = all.length > links.length && all.every(({ partIds }) => partIds.length === 1)
  return isWhole ? { seq: newest.mark.seq, entrySeq: newest.entrySeq, all } : undefined
}
