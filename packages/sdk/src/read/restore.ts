import { BadInputError, type ByteStream, type Manifest, MemoError } from '@memo/core'
import type { CheckpointChain } from '../checkpoint/chain.ts'
import { createPlacementLocator } from '../checkpoint/locator.ts'
import { type Recovered, type RecoveredLog, readCheckpoints } from '../checkpoint/read.ts'
import type { ReaderKeys, StorageContext } from '../context.ts'
import { KeepersUnreachableError } from '../errors.ts'
import { objectsIn, readLogs, type StoredObject } from '../index/objects.ts'
import type { PartLocator } from './locate.ts'
import { readObject } from './read.ts'

/** An object that can be opened, with its bytes. */
export type RestoredObject = {
  readonly object: StoredObject & { readonly manifest: Manifest }
  /** Reads all of it, as `read` does. */
  open(): ByteStream
}

/** Where a restore takes the index from. */
export type RestoreReport =
  | { readonly source: 'keepers' }
  /** What came after the last entry of each log, or in a log that is not among them, is not known. */
  | (Pick<Recovered, 'faults' | 'strangers' | 'doubtful'> & {
      readonly source: 'checkpoints'
      readonly logs: readonly Omit<RecoveredLog, 'entries'>[]
    })

export type RestoreOptions = {
  readonly reader: ReaderKeys
  /** `any`, where nothing is said: keepers, or, when none answers, checkpoints. With `checkpoints` no keeper is asked. */
  readonly from?: 'any' | 'keepers' | 'checkpoints' | undefined
  /** Told before the first object. */
  readonly onReport?: ((report: RestoreReport) => void) | undefined
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
  const { reader, signal, from = 'any', onReport = () => undefined } = options
  const opened = function* (logs: Parameters<typeof objectsIn>[0], by: PartLocator): Generator<RestoredObject> {
    for (const object of objectsIn(logs, reader, signal)) {
      const { manifest } = object
      if (!manifest) continue
      yield { object: { ...object, manifest }, open: () => readObject(context, by, manifest, { owner: did, signal }) }
    }
  }
  let cause: KeepersUnreachableError | undefined
  if (from !== 'checkpoints') {
    try {
      const logs = await readLogs(context, did, { signal })
      onReport({ source: 'keepers' })
      yield* opened(logs, locator)
      return
    } catch (thrown) {
      if (!(thrown instanceof KeepersUnreachableError) || from === 'keepers' || !checkpoints) throw thrown
      cause = thrown
    }
  }
  if (!checkpoints) throw new BadInputError('checkpoints are asked for where nothing reads them from the chain')
  const scope = signal ? AbortSignal.any([signal, context.closed]) : context.closed
  const { logs, placements, ...rest } = await readCheckpoints(context, checkpoints, did, reader, scope)
  if (logs.length === 0) throw new NoCheckpointError(did, rest, cause)
  onReport({ source: 'checkpoints', logs: logs.map(({ entries: _, ...log }) => log), ...rest })
  const known = logs.map(({ entries }) => entries)
  yield* opened(known, createPlacementLocator(context, placements))
}
