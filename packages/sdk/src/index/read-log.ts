import {
  type Address,
  continuesLog,
  hexFromBytes,
  type KeeperClient,
  type LogHead,
  type MemoError,
  type SignedEntry,
} from '@memo/core'
import type { StorageContext } from '../context.ts'
import { BrokenLogError, KeepersUnreachableError, type NodeFault } from '../errors.ts'
import { askKeepers, noteFault, readQuorumOf } from '../nodes/ask-keepers.ts'

/** A place in a log from which it goes on; undefined is its beginning. */
export type LogPlace = { readonly seq: number; readonly hash: Uint8Array } | undefined

/** What one keeper says of the logs of a DID. */
export type KeeperHeads = {
  readonly keeper: KeeperClient
  /** By writer. */
  readonly heads: ReadonlyMap<Address, LogHead>
  /** It could not show a log whose head it named: what else it names is not looked at. */
  hasFailed: boolean
}

/** What every keeper that answers says of a DID. Errors: {@link KeepersUnreachableError} when none does. */
export async function listKeeperHeads(
  context: StorageContext,
  did: string,
  signal: AbortSignal | undefined,
): Promise<KeeperHeads[]> {
  const { answers, faults } = await askKeepers(context, signal, async (keeper, inner) => {
    return (await keeper.listHeads(did, { signal: inner })).filter((head) => head.did === did)
  })
  if (answers.length === 0) throw new KeepersUnreachableError('what the DID’s logs hold', faults)
  return answers.map(({ keeper, answer }) => ({
    keeper,
    heads: new Map(answer.map((head) => [head.writer, head])),
    hasFailed: false,
  }))
}

/**
 * The entries of a log after `from`: the longest chain that any keeper has, every link checked (`spec/sdk.md` 7). A
 * keeper that cannot show the log whose head it names is reported and another one asked.
 *
 * @throws KeepersUnreachableError when a longer log is claimed, no keeper shows any of it, and it may be durable
 */
export async function readLog(
  context: StorageContext,
  answers: readonly KeeperHeads[],
  log: { readonly did: string; readonly writer: Address; readonly from: LogPlace },
  signal: AbortSignal | undefined,
): Promise<SignedEntry[]> {
  const start = log.from?.seq ?? 0
  const claims = answers
    .flatMap((claimant) => {
      const head = claimant.heads.get(log.writer)
      return head && head.seq > start ? [{ claimant, head }] : []
    })
    .sort((a, b) => b.head.seq - a.head.seq)
  const faults: NodeFault[] = []
  let longest: SignedEntry[] = []
  for (const { claimant, head } of claims) {
    if (claimant.hasFailed) continue
    if (head.seq <= start + longest.length) break
    const entries: SignedEntry[] = []
    try {
      await readFrom(claimant.keeper, head, log, entries, signal)
    } catch (thrown) {
      signal?.throwIfAborted()
      claimant.hasFailed = true
      faults.push(noteFault(context, claimant.keeper.address, thrown))
    }
    if (entries.length > longest.length) longest = entries
  }
  if (claims.length > 0 && longest.length === 0 && !(await isDenied(context, answers.length - claims.length))) {
    throw new KeepersUnreachableError('what stands in a log', faults)
  }
  return longest
}

/** Whether so many keepers know nothing of an entry that it cannot be durable: one liar hides no log by inventing one. */
async function isDenied({ directory }: StorageContext, strangers: number): Promise<boolean> {
  return strangers >= readQuorumOf((await directory.listKeepers()).length)
}

/** Reads a log from one keeper up to the head that it named; `entries` holds what was valid when it rejects. */
async function readFrom(
  keeper: KeeperClient,
  head: LogHead,
  log: { readonly did: string; readonly writer: Address; readonly from: LogPlace },
  entries: SignedEntry[],
  signal: AbortSignal | undefined,
): Promise<void> {
  let place = log.from
  while ((place?.seq ?? 0) < head.seq) {
    const seq: number = (place?.seq ?? 0) + 1
    const page: readonly SignedEntry[] = await keeper.listEntries(log.did, log.writer, seq, { signal })
    if (page.length === 0) throw broken(keeper, log, `entry ${seq} is missing`)
    for (const signed of page) {
      const { did, writer } = signed.entry
      if (did !== log.did || writer !== log.writer) throw broken(keeper, log, 'an entry belongs to another log')
      if (!continuesLog(place, signed.entry)) throw broken(keeper, log, `entry ${seq} does not follow the one before`)
      entries.push(signed)
      place = { seq: signed.entry.seq, hash: signed.hash }
    }
  }
  const named = entries.find((signed) => signed.entry.seq === head.seq)
  if (named && hexFromBytes(named.hash) !== head.hash) throw broken(keeper, log, 'its head is not the one it named')
}

function broken(
  keeper: KeeperClient,
  log: { readonly did: string; readonly writer: Address },
  what: string,
): MemoError {
  return new BrokenLogError(keeper.address, what, { did: log.did, writer: log.writer })
}
