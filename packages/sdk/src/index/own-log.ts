import {
  type Address,
  createTurns,
  equalBytes,
  hexFromBytes,
  type IndexAck,
  type IndexBundle,
  IndexConflictError,
  type LogAction,
  type LoginEvidence,
  MemoError,
  type PlacedPart,
  type SignedEntry,
  signEntry,
  ZERO_HASH,
} from '@memo/core'
import type { StorageContext } from '../context.ts'
import { EntryRefusedError, NotDurableError, nodeFault } from '../errors.ts'
import { findPart } from './find-part.ts'
import { type KeeperHeads, type LogPlace, listKeeperHeads, readLog } from './read-log.ts'
import { type Submission, submitBundle } from './submit.ts'

/** Entries that a keeper lacks and is given before a new one; what is more it gets from other keepers. */
const MAX_CATCH_UP = 16

/** A log that this account writes, as far as it is known here. */
type OwnLog = {
  place: LogPlace
  /** Objects that were put and not deleted, by number. */
  readonly live: Map<number, SignedEntry>
  /** An entry that too few keepers have: it must become durable before the next one. */
  pending: IndexBundle | undefined
}

/** What a caller wants to stand next in a log; it may look at the log first and do without. */
export type NextEntry<Found> =
  | { readonly found: Found }
  | {
      readonly action: LogAction
      readonly parts: readonly PlacedPart[]
      readonly evidence?: LoginEvidence | undefined
      /** Parts that a deletion lets go of. */
      readonly released?: readonly PlacedPart[] | undefined
    }

export type Appended = { readonly signed: SignedEntry; readonly acks: readonly IndexAck[] }

/** The logs that this account writes, one for each DID (`spec/sdk.md` 6). Calls for one DID take turns. */
export type OwnLogs = {
  /** Whether an entry that too few keepers have names this piece: it is handed over again before the next one. */
  isPending(provider: Address, root: Uint8Array): Promise<boolean>
  /** Reads a log, so that a later append need not. */
  warm(did: string, signal: AbortSignal): Promise<void>
  /** The log as it is known here, once what waits for keepers is durable. Errors: as for appending. */
  settle(did: string, signal: AbortSignal): Promise<OwnLogState>
  /**
   * Appends what `decide` returns after it saw the live objects of the log. Errors: {@link NotDurableError}, the
   * entry is then handed over again before the next one; {@link EntryRefusedError}.
   */
  append<Found>(
    did: string,
    decide: (live: ReadonlyMap<number, SignedEntry>) => Promise<NextEntry<Found>> | NextEntry<Found>,
    signal: AbortSignal,
  ): Promise<Appended | { readonly found: Found }>
  /** Writes what was put off. */
  close(): Promise<void>
}

/** Where a log ends, and the objects that it put and did not delete, by number. */
export type OwnLogState = { readonly place: LogPlace; readonly live: ReadonlyMap<number, SignedEntry> }

export function createOwnLogs(context: StorageContext): OwnLogs {
  const { signedHeads } = context
  const logs = new Map<string, OwnLog>()
  const turn = createTurns()
  const load = async (did: string, signal: AbortSignal): Promise<OwnLog> => {
    const known = logs.get(did)
    logs.delete(did) // and added again: the one longest unused comes first
    const log = known ?? { place: undefined, live: new Map(), pending: undefined }
    if (!known) {
      const answers = await refresh(context, did, log, signal)
      await recall(context, did, log, answers)
    }
    logs.set(did, log)
    if (logs.size > context.limits.logsInMemory) forgetOldest(logs)
    return log
  }
  return {
    async isPending(provider, root) {
      const waiting = await signedHeads.listWaiting()
      const pending = [...logs.values()].flatMap((log) => log.pending ?? [])
      return [...waiting, ...pending].some(({ parts }) =>
        parts.some(({ placement }) =>
          placement.pieces.some((piece) => piece.provider === provider && equalBytes(piece.root, root)),
        ),
      )
    },
    async warm(did, signal) {
      await turn(did, async () => await load(did, signal))
    },
    async settle(did, signal) {
      return await turn(did, async () => {
        signal.throwIfAborted()
        const log = await load(did, signal)
        if (log.pending) await settle(context, log, log.pending, signal)
        return { place: log.place, live: new Map(log.live) }
      })
    },
    async append(did, decide, signal) {
      return await turn(did, async () => {
        signal.throwIfAborted()
        const log = await load(did, signal)
        if (log.pending) await settle(context, log, log.pending, signal)
        for (let attempt = 1; ; attempt++) {
          const next = await decide(log.live)
          if ('found' in next) return next
          const signed = await signNext(context, did, log, next)
          const bundle = { signed, parts: next.parts }
          const acks = await settle(context, log, bundle, signal, next.released)
          if (acks) return { signed, acks }
          if (attempt >= context.limits.submitAttempts) {
            throw new IndexConflictError('somebody else writes to this log with the same key', {
              did,
              attempts: attempt,
            })
          }
        }
      })
    },
    close: async () => await signedHeads.close(),
  }
}

/** Makes an entry durable, or tells that its number is taken by another one (undefined). */
async function settle(
  context: StorageContext,
  log: OwnLog,
  bundle: IndexBundle,
  signal: AbortSignal,
  released: readonly PlacedPart[] = [],
): Promise<readonly IndexAck[] | undefined> {
  const { limits, loose, ports, signedHeads } = context
  const { entry, hash } = bundle.signed
  let last: Submission | undefined
  // Whoever has seen one entry under a number must never see another: it is on disk before anybody sees it.
  if (log.pending !== bundle) await signedHeads.keep(bundle, loose.changesOf(bundle, released, ports.clock.nowMs()))
  log.pending = bundle
  const giveUp = async () => {
    await signedHeads.giveUp(entry.did, log.place, loose.undone(bundle, ports.clock.nowMs()))
    log.pending = undefined
  }
  for (let attempt = 0; attempt < limits.submitAttempts; attempt++) {
    if (attempt > 0) await ports.timers.sleep(limits.submitPauseMs * attempt, signal)
    last = await submitBundle(context, bundle, signal)
    if (last.acks.length >= last.needed) {
      log.pending = undefined
      note(log, bundle.signed)
      if (log.place) signedHeads.settle(entry.did, log.place)
      return last.acks
    }
    const isRefused = last.acks.length === 0 && last.refusals.length > last.keepers - last.needed
    if (isRefused) {
      await giveUp()
      throw new EntryRefusedError(last.refusals)
    }
    if (last.conflicts.some(({ seq }) => seq >= entry.seq)) {
      await refresh(context, entry.did, log, signal)
      const isTaken = (log.place?.seq ?? 0) >= entry.seq && !isOnTop(log, hash)
      if (isTaken) {
        await giveUp()
        return undefined
      }
    }
    await catchUp(context, last, bundle, signal)
  }
  throw new NotDurableError(last?.needed ?? 0, last?.acks.length ?? 0, last?.faults ?? [])
}

/** Gives keepers whose log ends earlier the entries that they lack, with their parts. */
async function catchUp(
  context: StorageContext,
  last: Submission,
  bundle: IndexBundle,
  signal: AbortSignal,
): Promise<void> {
  const { did, writer, seq } = bundle.signed.entry
  const behind = last.conflicts.filter((conflict) => conflict.seq < seq - 1 && seq - conflict.seq <= MAX_CATCH_UP)
  if (behind.length === 0) return
  const answers = await listKeeperHeads(context, did, signal)
  const from = Math.min(...behind.map((conflict) => conflict.seq))
  const entries = (await readLog(context, answers, { did, writer, from: undefined }, signal)).slice(from)
  for (const { keeper, seq: end } of behind) {
    try {
      for (const signed of entries.filter((entry) => entry.entry.seq > end && entry.entry.seq < seq)) {
        await keeper.submit({ signed, parts: await findParts(context, signed, signal) }, { signal })
      }
    } catch (thrown) {
      signal.throwIfAborted()
      if (!(thrown instanceof MemoError)) throw thrown
      context.onFault(nodeFault('keeper', keeper.address, thrown))
    }
  }
}

async function findParts(context: StorageContext, signed: SignedEntry, signal: AbortSignal): Promise<PlacedPart[]> {
  const { action } = signed.entry
  const parts: PlacedPart[] = []
  for (const partId of action.kind === 'put' ? action.partIds : []) {
    const part = await findPart(context, partId, signed.entry.did, signal)
    if (part) parts.push(part)
  }
  return parts
}

/** Reads what the log holds beyond what is known of it. Gives the heads that keepers named. */
async function refresh(
  context: StorageContext,
  did: string,
  log: OwnLog,
  signal: AbortSignal,
): Promise<readonly KeeperHeads[]> {
  const writer: Address = context.ports.signer.address
  const answers = await listKeeperHeads(context, did, signal)
  for (const signed of await readLog(context, answers, { did, writer, from: log.place }, signal)) note(log, signed)
  return answers
}

/**
 * Goes on from what this account signed last, where the keepers that answered do not know of it: those that do may be
 * away. Where all keepers answer and none knows it, nobody does.
 */
async function recall(
  { directory, signedHeads }: StorageContext,
  did: string,
  log: OwnLog,
  answers: readonly KeeperHeads[],
): Promise<void> {
  const head = await signedHeads.find(did)
  if (!head) return
  if (log.place && head.place.seq <= log.place.seq) {
    if (head.bundle) signedHeads.settle(did, log.place)
  } else if (head.bundle) log.pending = head.bundle
  else if (answers.length < (await directory.listKeepers()).length) log.place = head.place
}

function note(log: OwnLog, signed: SignedEntry): void {
  const { seq, action, writer } = signed.entry
  if (seq <= (log.place?.seq ?? 0)) return
  log.place = { seq, hash: signed.hash }
  if (action.kind === 'put') log.live.set(seq, signed)
  else if (action.writer === writer) log.live.delete(action.seq)
}

function isOnTop(log: OwnLog, hash: Uint8Array): boolean {
  return log.place !== undefined && hexFromBytes(log.place.hash) === hexFromBytes(hash)
}

async function signNext(
  { ports }: StorageContext,
  did: string,
  log: OwnLog,
  next: { readonly action: LogAction; readonly evidence?: LoginEvidence | undefined },
): Promise<SignedEntry> {
  const seq = (log.place?.seq ?? 0) + 1
  const entry = {
    did,
    writer: ports.signer.address,
    seq,
    previous: log.place?.hash ?? ZERO_HASH,
    time: Math.floor(ports.clock.nowMs() / 1000),
    evidence: seq === 1 ? next.evidence : undefined,
    action: next.action,
  }
  return await signEntry(ports.network, entry, ports.signer)
}

/** Forgets the log that was not used for longest and has nothing left to hand over. */
function forgetOldest(logs: Map<string, OwnLog>): void {
  for (const [did, log] of logs) {
    if (log.pending) continue
    logs.delete(did)
    return
  }
}
