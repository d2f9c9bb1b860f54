import { BadInputError, type ByteStream, type Manifest, MemoError, type SignedEntry } from '@memo/core'
import type { CheckpointChain, CheckpointSlot } from '../checkpoint/chain.ts'
import { createPlacementLocator } from '../checkpoint/locator.ts'
import {
  loginOf,
  type Recovered,
  type RecoveredLog,
  readCheckpoints,
  type SlotOptions,
  type SlotProgress,
} from '../checkpoint/read.ts'
import type { ReaderKeys, StorageContext } from '../context.ts'
import { KeepersUnreachableError } from '../errors.ts'
import { objectsIn, readLogs, type StoredObject } from '../index/objects.ts'
import type { LocatedPart, PartLocator } from './locate.ts'
import { readObject } from './read.ts'

/** An object that can be opened, with its bytes. */
export type RestoredObject = {
  readonly object: StoredObject & { readonly manifest: Manifest }
  /** Reads all of it, as `read` does. */
  open(): ByteStream
}

/** Where a restore takes the index from. */
export type RestoreReport = Pick<Recovered, 'faults' | 'strangers' | 'doubtful'> & {
  readonly source: 'keepers' | 'checkpoints'
  /**
   * Logs that checkpoints show: from keepers, those of which no keeper that answered has as much; else what came after the
   * last entry of each, or in a log that is not among them, is not known.
   */
  readonly logs: readonly Omit<RecoveredLog, 'entries' | 'login'>[]
}

export type RestoreOptions = {
  readonly reader: ReaderKeys
  /** `any`, where nothing is said: keepers, or, when none answers, checkpoints. With `checkpoints` no keeper is asked. */
  readonly from?: 'any' | 'keepers' | 'checkpoints' | undefined
  /** Told before the first object. */
  readonly onReport?: ((report: RestoreReport) => void) | undefined
  /** Told before that, while checkpoints are read: anybody can leave one for a DID. */
  readonly onProgress?: ((progress: SlotProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Of none of a DID's logs a checkpoint can be read. */
export class NoCheckpointError extends MemoError {
  override readonly name: string = 'NoCheckpointError'
  constructor(did: string, { faults, strangers }: Pick<Recovered, 'faults' | 'strangers'>, cause: unknown) {
    const why = faults.map(({ writer, message }) => `${writer}: ${message}`).join('; ')
    super(`no checkpoint of ${did} can be read (${why || 'the chain remembers none'})`, {
      blame: 'keeper',
      retry: 'later',
      cause,
      details: { did, faults, strangers },
      fix: 'Try again when a keeper answers, or more providers.',
    })
  }
}

/**
 * Every live object of a DID that `reader` can open (`spec/sdk.md` 12).
 *
 * @throws KeepersUnreachableError without checkpoints; NoCheckpointError when none can be read; those of the chain
 */
export async function* restoreObjects(
  context: StorageContext,
  locator: PartLocator,
  checkpoints: CheckpointChain | undefined,
  did: string,
  options: RestoreOptions,
): AsyncGenerator<RestoredObject> {
  const { reader, signal, from = 'any', onReport = () => undefined, onProgress } = options
  const scope = signal ? AbortSignal.any([signal, context.closed]) : context.closed
  const source = await findSource(context, checkpoints, did, { reader, from, onProgress, signal: scope })
  const { recovered, known } = source
  const { logs, placements, faults, strangers, doubtful } = recovered
  onReport({
    source: known ? 'keepers' : 'checkpoints',
    logs: logs.map(({ writer, seq, time, blockNumber }) => ({ writer, seq, time, blockNumber })),
    ...{ faults, strangers, doubtful },
  })
  const fromChain = createPlacementLocator(context, placements)
  const by = known ? eitherLocator(locator, fromChain) : fromChain
  const shown = new Set(logs.map(({ writer }) => writer))
  const others = (known ?? []).filter(([first]) => first && !shown.has(first.entry.writer))
  for (const object of objectsIn([...others, ...logs.map(({ entries }) => entries)], reader, signal)) {
    const { manifest } = object
    if (!manifest) continue
    yield { object: { ...object, manifest }, open: () => readObject(context, by, manifest, { owner: did, signal }) }
  }
}

type Source = {
  /** The logs as keepers show them; undefined where none was asked or answered. */
  readonly known: readonly (readonly SignedEntry[])[] | undefined
  /** What the chain remembers beyond that. */
  readonly recovered: Recovered
}

const NOTHING: Recovered = { logs: [], placements: new Map(), faults: [], strangers: [], doubtful: [] }

async function findSource(
  context: StorageContext,
  checkpoints: CheckpointChain | undefined,
  did: string,
  options: Required<Pick<RestoreOptions, 'reader' | 'from'>> & SlotOptions,
): Promise<Source> {
  const { from, signal } = options
  let cause: KeepersUnreachableError | undefined
  if (from !== 'checkpoints') {
    try {
      const known = await readLogs(context, did, { signal })
      const isWhole = from === 'keepers' || !checkpoints
      return {
        known,
        recovered: isWhole ? NOTHING : await readHidden(context, checkpoints, did, known, options),
      }
    } catch (thrown) {
      if (!(thrown instanceof KeepersUnreachableError) || from === 'keepers' || !checkpoints) throw thrown
      cause = thrown
    }
  }
  if (!checkpoints) throw new BadInputError('checkpoints are asked for where nothing reads them from the chain')
  const recovered = await readCheckpoints(context, checkpoints, did, options)
  if (recovered.logs.length === 0) throw new NoCheckpointError(did, recovered, cause)
  return { known: undefined, recovered }
}

/** Logs of which the chain remembers more than any keeper shows: keepers cannot hide what a checkpoint has. */
async function readHidden(
  context: StorageContext,
  checkpoints: CheckpointChain,
  did: string,
  known: readonly (readonly SignedEntry[])[],
  options: SlotOptions,
): Promise<Recovered> {
  const lengths = new Map(known.map((log) => [log[0]?.entry.writer, log.length]))
  try {
    const isLonger = ({ writer, seq }: CheckpointSlot) => seq > (lengths.get(writer) ?? 0)
    const likely = new Set(known.flatMap(([first]) => (first ? [first.entry.writer] : [])))
    const recovered = await readCheckpoints(context, checkpoints, did, { ...options, isWanted: isLonger, likely })
    // Whoever shows a login that another log opens with at keepers has seen it there.
    const owners = new Map(known.map((log) => [loginOf(log), log[0]?.entry.writer]))
    const isThief = ({ login, writer }: RecoveredLog) => login !== undefined && (owners.get(login) ?? writer) !== writer
    const thieves = recovered.logs.filter(isThief).map(({ writer }) => writer)
    const logs = recovered.logs.filter((log) => !isThief(log))
    return { ...recovered, logs, strangers: [...recovered.strangers, ...thieves] }
  } catch (thrown) {
    options.signal.throwIfAborted()
    if (!(thrown instanceof MemoError)) throw thrown
    return NOTHING // keepers have answered: what the chain cannot tell now is not waited for
  }
}

/** Asks the second where the first does not know. */
function eitherLocator(first: PartLocator, second: PartLocator): PartLocator {
  const bySecond = new WeakSet<LocatedPart>()
  return {
    async locate(partId, owner, signal) {
      try {
        return await first.locate(partId, owner, signal)
      } catch (thrown) {
        signal?.throwIfAborted()
        if (!(thrown instanceof MemoError)) throw thrown
        // Of two reasons the one that a keeper gave is told.
        const part = await second.locate(partId, owner, signal).catch(() => undefined)
        if (!part) throw thrown
        bySecond.add(part)
        return part
      }
    },
    widen: async (part, signal) => await (bySecond.has(part) ? second : first).widen(part, signal),
  }
}
