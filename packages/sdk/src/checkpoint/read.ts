import {
  type Address,
  BadInputError,
  type Checkpoint,
  type CheckpointedLog,
  decodePlacement,
  firstEntryOf,
  groupBy,
  hex32,
  hexFromBytes,
  joinCheckpoints,
  type LogEntry,
  MemoError,
  openCheckpoint,
  type Placement,
  type SignedEntry,
  withDeadline,
} from '@memo/core'
import type { ReaderKeys, StorageContext } from '../context.ts'
import { NotEnoughPiecesError } from '../errors.ts'
import { forEachAtOnce } from '../flow/for-each-at-once.ts'
import { standingOf, type WriterStanding } from '../index/objects.ts'
import type { CheckpointChain, CheckpointSlot } from './chain.ts'
import { createPlacementLocator, type QuestionBudget } from './locator.ts'
import { readPart } from './read-part.ts'
import { type RankedSlot, slotsInTurn } from './slots-in-turn.ts'

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

/**
 * What providers are asked about pieces that are not where a slot says, for all slots together that are not of the DID's keys:
 * whoever leaves slots that lead nowhere shall not keep the owner waiting for ever.
 */
const MAX_QUESTIONS = 65_536
/** Slots that are read side by side. Each holds one checkpoint in memory, of {@link LARGE_BYTES} at the most. */
const SLOTS_AT_ONCE = 16
/** A checkpoint holds about 16 MiB. Those of strangers that say they are larger than this come last, one by one. */
const LARGE_BYTES = 33_554_432
/** So long a stranger may take to show that the DID let him write, the first time; then he stands back for all others. */
const FIRST_LOOK_MS = 4_000
/** The same for a writer whom the DID's logs or keepers name, and the second time. */
const LONG_LOOK_MS = 60_000
/** All looks together that come after everybody's first one. */
const LAST_LOOKS_MS = 300_000
/** The rest of a log whose writer the DID let write. */
const WHOLE_LOG_MS = 1_800_000

/** What a reader of slots may be told to leave out, to prefer and to report. */
export type SlotOptions = {
  readonly reader: ReaderKeys
  readonly signal: AbortSignal
  /** Slots that are worth a look; all of them where nothing is said. */
  readonly isWanted?: (slot: CheckpointSlot) => boolean
  /** Writers who are known from elsewhere: they are looked at before other strangers, and with more patience. */
  readonly likely?: ReadonlySet<Address>
  readonly onProgress?: ((progress: SlotProgress) => void) | undefined
}

/** How many of the slots of a DID have been looked at. */
export type SlotProgress = { readonly looked: number; readonly slots: number }

type Outcome = { readonly log: SlotLog } | 'stranger' | { readonly fault: MemoError }

/**
 * The logs of a DID as their last checkpoints show them, without asking a keeper (`spec/checkpoint.md` 9). Only logs count
 * whose writer is a key of the DID, or that open with its login. Errors: those of the chain.
 */
export async function readCheckpoints(
  context: StorageContext,
  chain: CheckpointChain,
  did: string,
  options: SlotOptions,
): Promise<Recovered> {
  const { signal, isWanted = () => true, likely = new Set(), onProgress = () => undefined } = options
  const slots = (await slotsInTurn(context, chain, did, signal)).filter(({ slot }) => isWanted(slot))
  const shared: QuestionBudget = { left: MAX_QUESTIONS }
  const outcomes = new Map<Address, Outcome>()
  const look = async ({ slot, isOfKey }: RankedSlot, budget: QuestionBudget | undefined, lookMs: number) => {
    const limits = { budget, lookMs: isOfKey ? WHOLE_LOG_MS : lookMs }
    outcomes.set(slot.writer, await readSlot(context, did, slot, { reader: options.reader, ...limits }, signal))
    onProgress({ looked: outcomes.size, slots: slots.length })
  }

  const [own, strangers] = [slots.filter(({ isOfKey }) => isOfKey), slots.filter(({ isOfKey }) => !isOfKey)]
  await forEachAtOnce(own, SLOTS_AT_ONCE, async (slot) => await look(slot, undefined, WHOLE_LOG_MS))
  const named = new Set([...likely, ...[...outcomes.values()].flatMap(namedBy)])
  const inTurn = [...strangers].sort((a, b) => Number(named.has(b.slot.writer)) - Number(named.has(a.slot.writer)))
  const [small, large] = [inTurn.filter((slot) => !isLarge(slot)), inTurn.filter(isLarge)]
  const first = async (slot: RankedSlot) => {
    const isNamed = named.has(slot.slot.writer)
    await look(slot, isNamed ? shared : { left: 0 }, isNamed ? LONG_LOOK_MS : FIRST_LOOK_MS)
  }
  await forEachAtOnce(small, SLOTS_AT_ONCE, first)
  await forEachAtOnce(
    large.filter(({ slot }) => named.has(slot.writer)),
    1,
    first,
  )
  const endMs = context.ports.clock.nowMs() + LAST_LOOKS_MS
  const last = async (ranked: RankedSlot) => {
    const leftMs = endMs - context.ports.clock.nowMs()
    if (leftMs > 0) return await look(ranked, shared, Math.min(LONG_LOOK_MS, leftMs))
    const { writer } = ranked.slot
    outcomes.set(writer, outcomes.get(writer) ?? { fault: new SlotTooSlowError(writer, LAST_LOOKS_MS) })
  }
  const isOpen = ({ slot }: RankedSlot) => !named.has(slot.writer) && isWorthAgain(outcomes.get(slot.writer))
  await forEachAtOnce(small.filter(isOpen), SLOTS_AT_ONCE, last)
  await forEachAtOnce(large.filter(isOpen), 1, last)
  return gather([...own, ...inTurn], outcomes)
}

/** What all slots say together: who comes later in the line changes nothing of what was said before him. */
function gather(slots: readonly RankedSlot[], outcomes: ReadonlyMap<Address, Outcome>): Recovered {
  const logs: RecoveredLog[] = []
  const placements = new Map<string, Placement>()
  const faults: CheckpointFault[] = []
  const strangers: Address[] = []
  for (const { slot } of slots) {
    const { writer } = slot
    const outcome = outcomes.get(writer)
    if (outcome === 'stranger') strangers.push(writer)
    else if (outcome && 'fault' in outcome) {
      const { name, message } = outcome.fault
      faults.push({ writer, name, message })
    } else if (outcome) {
      logs.push(outcome.log.recovered)
      for (const [key, placement] of outcome.log.placements) if (!placements.has(key)) placements.set(key, placement)
    }
  }
  const byLogin = groupBy(logs, ({ login, writer }) => login ?? writer)
  const doubtful = [...byLogin.values()].flatMap((same) => (same.length > 1 ? same.map(({ writer }) => writer) : []))
  return { logs, placements, faults, strangers, doubtful }
}

/** Writers whose objects a log of the DID's own keys has deleted: the DID knows them. */
function namedBy(outcome: Outcome): Address[] {
  if (outcome === 'stranger' || 'fault' in outcome) return []
  return outcome.log.recovered.entries.flatMap(({ entry }) => (deletesOfOthers(entry) ? [entry.action.writer] : []))
}

/** Whether a look, with more patience or more questions than the first one, may give something. */
function isWorthAgain(outcome: Outcome | undefined): boolean {
  if (outcome === undefined) return true
  if (outcome === 'stranger' || !('fault' in outcome)) return false
  return outcome.fault instanceof SlotTooSlowError || outcome.fault instanceof NotEnoughPiecesError
}

function isLarge({ slot }: RankedSlot): boolean {
  try {
    return decodePlacement(slot.placement).sizeBytes > LARGE_BYTES
  } catch (thrown) {
    if (!(thrown instanceof BadInputError)) throw thrown
    return false // it is read like the others, which says what is wrong with it
  }
}

/** The checkpoint of a slot did not come in the time that its writer gets. */
class SlotTooSlowError extends MemoError {
  override readonly name: string = 'SlotTooSlowError'
  constructor(writer: Address, limitMs: number) {
    super(`the checkpoint of ${writer} did not come within ${limitMs} ms`, {
      blame: 'provider',
      retry: 'later',
      fix: 'Try again later, when the providers that hold it answer faster.',
      details: { writer, limitMs },
    })
  }
}

type SlotLog = Pick<CheckpointedLog, 'placements'> & { readonly recovered: RecoveredLog }

type SlotLimits = {
  readonly reader: ReaderKeys
  readonly budget: QuestionBudget | undefined
  /** Until it is known whether the DID let its writer write. */
  readonly lookMs: number
}

/** What one slot stands for, as far as it comes in time. Errors: the signal’s reason, and what is no MemoError. */
async function readSlot(
  context: StorageContext,
  did: string,
  slot: CheckpointSlot,
  { reader, budget, lookMs }: SlotLimits,
  signal: AbortSignal,
): Promise<Outcome> {
  const { writer } = slot
  const { timers } = context.ports
  const fetch = async (placement: Placement, scope: AbortSignal): Promise<Checkpoint> => {
    if (placement.owner !== did) throw new BadInputError('a checkpoint that is placed for another DID')
    const locator = createPlacementLocator(context, new Map([[hex32(placement.partId), placement]]), budget)
    const checkpoint = openCheckpoint(await readPart(context, locator, placement.partId, did, scope), reader)
    if (!checkpoint) throw new BadInputError('a checkpoint that is sealed for other keys')
    return checkpoint
  }
  const inTime = async <T>(limitMs: number, work: (scope: AbortSignal) => Promise<T>): Promise<T> => {
    return await withDeadline(timers, limitMs, signal, () => new SlotTooSlowError(writer, limitMs), work)
  }
  try {
    // Before more of a stranger's is fetched and checked: whether the DID knows him at all.
    const { newest, first, standing } = await inTime(lookMs, async (scope) => {
      const newest = await fetch(decodePlacement(slot.placement), scope)
      const [link] = newest.links
      const first = link ? await fetch(link.placement, scope) : newest
      return { newest, first, standing: await standingOf(context, did, [firstEntryOf(context.ports.network, first)]) }
    })
    if (standing === 'none') return 'stranger'
    const earlier = newest === first ? [] : [first]
    await inTime(WHOLE_LOG_MS, async (scope) => {
      for (const { placement } of newest.links.slice(1)) earlier.push(await fetch(placement, scope))
    })
    return { log: join(context, did, slot, standing, newest, earlier) }
  } catch (thrown) {
    signal.throwIfAborted()
    if (!(thrown instanceof MemoError)) throw thrown
    return { fault: thrown }
  }
}

/** The log whose checkpoints are all there. Errors: BadInputError for one fault anywhere in it. */
function join(
  { ports }: StorageContext,
  did: string,
  slot: CheckpointSlot,
  standing: WriterStanding,
  newest: Checkpoint,
  earlier: readonly Checkpoint[],
): SlotLog {
  const { writer, seq, blockNumber } = slot
  const { entries, placements } = joinCheckpoints(ports.network, { did, ...slot }, newest, earlier)
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

function deletesOfOthers(
  entry: LogEntry,
): entry is LogEntry & { readonly action: Extract<LogEntry['action'], { kind: 'delete' }> } {
  return entry.action.kind === 'delete' && entry.action.writer !== entry.writer
}
