import {
  type Address,
  BadInputError,
  type Checkpoint,
  type CheckpointedLog,
  decodePlacement,
  firstEntryOf,
  hex32,
  hexFromBytes,
  joinCheckpoints,
  type LogEntry,
  MemoError,
  openCheckpoint,
  type Placement,
  type SignedEntry,
} from '@memo/core'
import type { ReaderKeys, StorageContext } from '../context.ts'
import { standingOf } from '../index/objects.ts'
import type { CheckpointChain, CheckpointSlot } from './chain.ts'
import { createPlacementLocator, type QuestionBudget } from './locator.ts'
import { readPart } from './read-part.ts'

/** A log up to its last checkpoint, from chain and providers alone. */
export type RecoveredLog = {
  readonly writer: Address
  /** Number, time (unix seconds) and block of the last entry that is known. */
  readonly seq: number
  readonly time: number
  readonly blockNumber: number
  /**
   * Without deletions of what others have put, unless a key of the DID wrote them: whoever saw a login can open a log with it,
   * and there is no keeper here that knows whose it was (`spec/checkpoint.md` 9).
   */
  readonly entries: readonly SignedEntry[]
  /** Signature of the login that it opens with, where it is believed for that. */
  readonly login: string | undefined
}

/** A slot whose checkpoint could not be read. */
export type CheckpointFault = { readonly writer: Address; readonly name: string; readonly message: string }

export type Recovered = {
  readonly logs: readonly RecoveredLog[]
  /** By part id, 64 hex digits. */
  readonly placements: ReadonlyMap<string, Placement>
  readonly faults: readonly CheckpointFault[]
  /** Writers that left a slot, and whom the DID has not let write. */
  readonly strangers: readonly Address[]
  /** Writers of logs that open with one and the same login: only one of them is who the DID logged in to. */
  readonly doubtful: readonly Address[]
}

/** Slots that are looked at: those of the DID's keys first, then those of the accounts that have been there for longest. */
const MAX_SLOTS = 1_024
/**
 * What providers are asked about pieces that are not where a slot says, for all slots together that are not of the DID's keys:
 * whoever leaves slots that lead nowhere shall not keep the owner waiting for ever.
 */
const MAX_QUESTIONS = 65_536

/**
 * The logs of a DID as their last checkpoints show them, without asking a keeper (`spec/checkpoint.md` 9). Only logs count
 * whose writer is a key of the DID, or that open with its login. Errors: those of the chain.
 */
export async function readCheckpoints(
  context: StorageContext,
  chain: CheckpointChain,
  did: string,
  reader: ReaderKeys,
  signal: AbortSignal,
  /** Slots that are worth a look; all of them where nothing is said. */
  isWanted: (slot: CheckpointSlot) => boolean = () => true,
): Promise<Recovered> {
  const logs: RecoveredLog[] = []
  const placements = new Map<string, Placement>()
  const faults: CheckpointFault[] = []
  const strangers: Address[] = []
  const byLogin = new Map<string, Address[]>()
  const shared: QuestionBudget = { left: MAX_QUESTIONS }
  for (const { slot, isOfKey } of await slotsInTurn(context, chain, did)) {
    if (!isWanted(slot)) continue
    try {
      const log = await readSlot(context, did, slot, { reader, budget: isOfKey ? undefined : shared }, signal)
      if (!log) {
        strangers.push(slot.writer)
        continue
      }
      logs.push(log.recovered)
      const { login } = log.recovered
      if (login !== undefined) byLogin.set(login, [...(byLogin.get(login) ?? []), slot.writer])
      // Who comes later in the line changes nothing of what was said before him.
      for (const [key, placement] of log.placements) if (!placements.has(key)) placements.set(key, placement)
    } catch (thrown) {
      signal.throwIfAborted()
      if (!(thrown instanceof MemoError)) throw thrown
      faults.push({ writer: slot.writer, name: thrown.name, message: thrown.message })
    }
  }
  const doubtful = [...byLogin.values()].flatMap((writers) => (writers.length > 1 ? writers : []))
  return { logs, placements, faults, strangers, doubtful }
}

async function slotsInTurn(
  { chain: accounts }: StorageContext,
  chain: CheckpointChain,
  did: string,
): Promise<{ readonly slot: CheckpointSlot; readonly isOfKey: boolean }[]> {
  const keys = new Set((await accounts.findDid(did))?.authenticationKeys.map((key) => key.address))
  const ranked: { slot: CheckpointSlot; rank: number }[] = []
  for (const slot of await chain.list(did)) {
    const rank = keys.has(slot.writer) ? -1 : ((await accounts.findAccount(slot.writer))?.index ?? 2 ** 53)
    ranked.push({ slot, rank })
  }
  return ranked
    .sort((a, b) => a.rank - b.rank)
    .slice(0, MAX_SLOTS)
    .map(({ slot, rank }) => ({ slot, isOfKey: rank < 0 }))
}

type SlotLog = Pick<CheckpointedLog, 'placements'> & { readonly recovered: RecoveredLog }

/** The log that one slot stands for; undefined where the DID did not let its writer write. Errors: any MemoError. */
async function readSlot(
  context: StorageContext,
  did: string,
  slot: CheckpointSlot,
  { reader, budget }: { readonly reader: ReaderKeys; readonly budget: QuestionBudget | undefined },
  signal: AbortSignal,
): Promise<SlotLog | undefined> {
  const { writer, seq, blockNumber } = slot
  const fetch = async (placement: Placement): Promise<Checkpoint> => {
    if (placement.owner !== did) throw new BadInputError('a checkpoint that is placed for another DID')
    const locator = createPlacementLocator(context, new Map([[hex32(placement.partId), placement]]), budget)
    const checkpoint = openCheckpoint(await readPart(context, locator, placement.partId, did, signal), reader)
    if (!checkpoint) throw new BadInputError('a checkpoint that is sealed for other keys')
    return checkpoint
  }
  const newest = await fetch(decodePlacement(slot.placement))
  const [link] = newest.links
  const first = link ? await fetch(link.placement) : newest
  // Before more of a stranger's is fetched and checked: whether the DID knows him at all.
  const standing = await standingOf(context, did, [firstEntryOf(context.ports.network, first)])
  if (standing === 'none') return undefined
  const earlier = link ? [first] : []
  for (const { placement } of newest.links.slice(1)) earlier.push(await fetch(placement))
  const { entries, placements } = joinCheckpoints(context.ports.network, { did, ...slot }, newest, earlier)
  const time = entries.at(-1)?.entry.time ?? 0
  const believed = standing === 'key' ? entries : entries.filter(({ entry }) => !deletesOfOthers(entry))
  const login = standing === 'login' ? loginOf(entries) : undefined
  return { recovered: { writer, seq, time, blockNumber, entries: believed, login }, placements }
}

/** The signature of the login that a log opens with, if it does. */
export function loginOf([first]: readonly SignedEntry[]): string | undefined {
  const signature = first?.entry.evidence?.signature
  return signature && hexFromBytes(signature)
}

function deletesOfOthers({ writer, action }: LogEntry): boolean {
  return action.kind === 'delete' && action.writer !== writer
}
