import {
  BadInputError,
  encodePlacement,
  MemoError,
  NotFoundError,
  parseErasurePolicy,
  type SignedEntry,
  STRIP_BYTES,
  sealCheckpoint,
} from '@memo/core'
import type { StorageContext } from '../context.ts'
import type { OwnLogs } from '../index/own-log.ts'
import { type LogPlace, listKeeperHeads, readLog } from '../index/read-log.ts'
import { DEFAULT_POLICY, runPut } from '../put/put.ts'
import type { CheckpointChain, CheckpointCost } from './chain.ts'
import { type CheckpointDraft, composeCheckpoint, placementOf } from './compose.ts'
import { findMark, markMetadata } from './mark.ts'
import { listSuperseded, planCheckpoint, type StoredCheckpoint } from './plan.ts'
import { checkpointReaders } from './readers.ts'
import { removeCheckpoint } from './remove.ts'

export type CheckpointOptions = {
  /** Public keys that may be the DID's: the checkpoint is sealed for those of which the chain says so. */
  readonly readers?: readonly Uint8Array[] | undefined
  /** Redundancy, `rs:4+2` where nothing is said. */
  readonly policy?: string | undefined
  /** About how much one checkpoint holds, unless one entry alone is more. Default 16 MiB. */
  readonly mostBytes?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** What writing a checkpoint did. */
export type CheckpointResult = CheckpointCost & {
  readonly did: string
  /** The chain's slot stands for entries 1 to `seq`, in `links` checkpoints, the newest of which holds `from` to `seq`. */
  readonly seq: number
  readonly from: number
  readonly links: number
  /** Stored bytes of the newest one, and bytes of its placement in the event. */
  readonly sizeBytes: number
  readonly placementBytes: number
  /** Superseded checkpoints that were deleted. */
  readonly deleted: number
  /** Parts of objects that no keeper knows which answered: a restore lacks them. */
  readonly lacking: number
  /** Whether all entries that there were are covered; else the next call goes on. */
  readonly isComplete: boolean
}

const CHECKPOINT_TYPE = 'application/vnd.memo.checkpoint'
const CHECKPOINT_BYTES = 16_777_216
/** The contract takes no more (`spec/checkpoint.md` 1). */
const MAX_PLACEMENT_BYTES = 20_480
/** Of a single stripe, which is never cut, what entries and placements may take: links and envelope are in it as well. */
const STRIPE_SHARE = 0.75

/** What one run works with. */
type Run = {
  readonly context: StorageContext
  readonly logs: OwnLogs
  readonly chain: CheckpointChain
  readonly did: string
  readonly options: CheckpointOptions
  readonly signal: AbortSignal
  /** Number of the last entry that is looked at: later ones may be on their way. */
  readonly endSeq: number
}

/**
 * Brings the chain's slot for this account's log of a DID up to date: stores a checkpoint of what the last one does not
 * cover, publishes it, then deletes those that it stands for (`spec/checkpoint.md` 7 and 8). A run that was cut off is gone
 * on with. Undefined when all is covered. One call at a time for a DID.
 *
 * @throws OwnerKeyUnknownError; those of a put; those of the chain; the signal's reason
 */
export async function writeCheckpoint(
  context: StorageContext,
  logs: OwnLogs,
  chain: CheckpointChain,
  did: string,
  options: CheckpointOptions,
): Promise<CheckpointResult | undefined> {
  const signal = AbortSignal.any([context.closed, ...(options.signal ? [options.signal] : [])])
  const { place, live } = await logs.settle(did, signal)
  const run: Run = { context, logs, chain, did, options, signal, endSeq: place?.seq ?? 0 }
  const slot = await chain.find(did, context.ports.signer.address)
  const { inForce, unpublished } = planCheckpoint(live, slot?.seq ?? 0)
  if (unpublished) return await publish(run, unpublished, { isComplete: false, lacking: 0 })
  const uncovered = await readEntries(run, slot)
  const isLost = slot !== undefined && inForce.length === 0
  if (uncovered.length === 0 || (!isLost && (await isBookkeeping(run, uncovered)))) {
    await removeSuperseded(run, slot?.seq ?? 0)
    return undefined
  }
  const { dataShards } = parseErasurePolicy(options.policy ?? DEFAULT_POLICY)
  const read = async (after: LogPlace) => (after?.seq === slot?.seq ? uncovered : await readEntries(run, after))
  for (const mostBytes of [options.mostBytes ?? CHECKPOINT_BYTES, STRIPE_SHARE * dataShards * STRIP_BYTES]) {
    const draft = await composeCheckpoint(context, { did, live, inForce, readEntries: read, mostBytes, signal })
    const stored = await store(run, draft)
    if (stored) return await publish(run, stored, draft)
  }
  throw new BadInputError(`the next entry in the log of ${did} does not fit into a checkpoint of one part`)
}

/** Entries of this account's log after `place`, as keepers show them. */
async function readEntries({ context, did, signal, endSeq }: Run, place: LogPlace): Promise<SignedEntry[]> {
  const answers = await listKeeperHeads(context, did, signal)
  const from = place && { seq: place.seq, hash: place.hash }
  const entries = await readLog(context, answers, { did, writer: context.ports.signer.address, from }, signal)
  return entries.filter(({ entry }) => entry.seq <= endSeq)
}

/** Whether these entries do nothing but put and delete checkpoints: checkpoints of them would never come to an end. */
async function isBookkeeping(run: Run, entries: readonly SignedEntry[]): Promise<boolean> {
  return (await countChanges(run, entries, 1)) === 0
}

/** How many of these entries do more than to put and delete checkpoints; counted up to `most`. */
async function countChanges(run: Run, entries: readonly SignedEntry[], most: number): Promise<number> {
  const { address } = run.context.ports.signer
  const deleted: number[] = []
  let changes = 0
  for (const signed of entries) {
    const { action } = signed.entry
    if (action.kind === 'put' ? !findMark(signed) : action.writer !== address) changes++
    else if (action.kind === 'delete') deleted.push(action.seq)
  }
  for (const seq of deleted) {
    if (changes >= most) break
    const signed = entries.find(({ entry }) => entry.seq === seq) ?? (await findEntry(run, seq))
    if (!signed || !findMark(signed)) changes++
  }
  return Math.min(changes, most)
}

/** How much of this account's log of a DID the chain does not remember. */
export type UncoveredChanges = {
  /** Number of the last entry that the chain's slot stands for; 0 where there is none. */
  readonly seq: number
  /** Objects that were put or deleted since, {@link MAX_CHANGES} at the most. */
  readonly changes: number
}

/** More are not counted. */
const MAX_CHANGES = 100

/** What a checkpoint that is written now would cover. Errors: those of the chain; as for reading the index. */
export async function findUncovered(
  context: StorageContext,
  logs: OwnLogs,
  chain: CheckpointChain,
  did: string,
  options: Pick<CheckpointOptions, 'signal'>,
): Promise<UncoveredChanges> {
  const signal = AbortSignal.any([context.closed, ...(options.signal ? [options.signal] : [])])
  const { place } = await logs.settle(did, signal)
  const run: Run = { context, logs, chain, did, options, signal, endSeq: place?.seq ?? 0 }
  const slot = await chain.find(did, context.ports.signer.address)
  const seq = slot?.seq ?? 0
  return { seq, changes: seq >= run.endSeq ? 0 : await countChanges(run, await readEntries(run, slot), MAX_CHANGES) }
}

async function findEntry({ context, did, signal }: Run, seq: number): Promise<SignedEntry | undefined> {
  for (const keeper of await context.directory.listKeepers()) {
    try {
      const [signed] = await keeper.listEntries(did, context.ports.signer.address, seq, { signal })
      if (signed) return signed
    } catch (thrown) {
      signal.throwIfAborted()
      if (!(thrown instanceof MemoError)) throw thrown // the next keeper is asked
    }
  }
  return undefined
}

/**
 * Puts the checkpoint like any object: its stored bytes are sealed, its manifest says what it is in clear. Undefined where it
 * came to lie in more than one part, and less of it would not.
 */
async function store(run: Run, draft: CheckpointDraft): Promise<readonly StoredCheckpoint[] | undefined> {
  const { context, logs, did, options, signal } = run
  const { ports } = context
  const { entries, placements, links } = draft
  const [first, last] = [entries[0], entries.at(-1)]
  if (!first || !last) throw new NotFoundError(`no keeper that answers shows the log of ${did}`, { blame: 'keeper' })
  const readers = await checkpointReaders(context, did, options.readers ?? [], async () => await findEntry(run, 1))
  const checkpoint = {
    did,
    writer: ports.signer.address,
    from: first.entry.seq,
    seq: last.entry.seq,
    time: Math.floor(ports.clock.nowMs() / 1000),
    entries,
    placements,
    links: links.map(({ mark, placement }) => ({ from: mark.from, seq: mark.seq, hash: mark.hash, placement })),
  }
  const bytes = sealCheckpoint(checkpoint, readers, ports.random.bytes)
  const mark = {
    from: first.entry.seq,
    seq: last.entry.seq,
    hash: last.hash,
    links: links.map(({ entrySeq }) => entrySeq),
  }
  // A part of its own, which the placement in the event then stands for.
  const unpacked = { ...context, limits: { ...context.limits, packedBytes: 0 } }
  const { partIds, seq, sizeBytes } = await runPut(unpacked, logs, bytes, {
    did,
    name: `checkpoint ${mark.from}-${mark.seq}`,
    contentType: CHECKPOINT_TYPE,
    isPublic: true,
    policy: options.policy,
    readers: [],
    metadata: markMetadata(mark),
    signal,
  })
  if (partIds.length === 1) return [...links, { entrySeq: seq, mark, partIds, sizeBytes }]
  // The event has room for the placement of one part: a slow line ended it early, or it is too large.
  await removeCheckpoint(context, logs, did, { entrySeq: seq, partIds }, signal)
  return undefined
}

/** Writes the slot of the newest of `stored`, which the others are links of, then deletes what it supersedes. */
async function publish(
  run: Run,
  stored: readonly StoredCheckpoint[],
  { isComplete, lacking }: Pick<CheckpointDraft, 'isComplete' | 'lacking'>,
): Promise<CheckpointResult> {
  const { context, chain, did, signal } = run
  const newest = stored.at(-1) as StoredCheckpoint
  const { mark, sizeBytes } = newest
  const placement = encodePlacement(await placementOf(context, did, newest, signal))
  if (placement.length > MAX_PLACEMENT_BYTES) {
    throw new BadInputError(`a placement of ${placement.length} bytes does not fit into an event`)
  }
  const cost = await chain.write({ did, seq: mark.seq, hash: mark.hash, placement, signal })
  const deleted = await removeSuperseded(run, mark.seq)
  const { from, seq } = mark
  const base = { ...cost, did, from, seq, links: stored.length, sizeBytes, placementBytes: placement.length }
  return { ...base, deleted, lacking, isComplete }
}

async function removeSuperseded({ context, logs, did, signal }: Run, publishedSeq: number): Promise<number> {
  const { live } = await logs.settle(did, signal)
  const superseded = listSuperseded(live, publishedSeq)
  for (const checkpoint of superseded) await removeCheckpoint(context, logs, did, checkpoint, signal)
  return superseded.length
}
