import { MemoError } from '@memo/core'
import type { CheckpointResult, Storage } from '@memo/sdk'
import { formatBytes } from '../output.ts'
import type { Context, Verb } from '../program.ts'
import { type CommonOptions, dataDirOf, findProfile, quotedPath } from '../settings.ts'
import { type UserOptions, withSession } from './open-storage.ts'

/** What a verb takes that changes what is stored. */
export type ChangeOptions = UserOptions & { readonly checkpoint?: boolean }

/** `memo checkpoint`: has the chain remember what this key has stored, so that it is found without keepers. */
export const checkpoint: Verb<UserOptions> = async (context, options) => {
  const { output } = context
  await withSession(context, { ...options, paying: 'must' }, async ({ identity, storage }) => {
    const { did } = identity
    const last = await writeAll(context, options, storage, did)
    if (!last) {
      output.data('the chain remembers all of it already', { event: 'checkpoint', did, written: false })
      return
    }
    output.data(describe(last), jsonOf(last))
  })
  return undefined
}

/**
 * After something was stored or deleted: writes a checkpoint with `--checkpoint`, else says in one line that there is none of it.
 * It costs gas, so it is not written unasked. Gives how many changes no checkpoint covers, where that can be known.
 */
export async function coverChanges(
  context: Context,
  options: ChangeOptions,
  storage: Storage,
  did: string,
): Promise<number | undefined> {
  const { output, runtime } = context
  if (options.checkpoint) {
    const last = await writeAll(context, options, storage, did)
    if (last) output.progress(describe(last), jsonOf(last))
    return 0
  }
  try {
    const { changes } = await storage.findUncovered(did, { signal: runtime.signal })
    if (changes > 0) output.progress(tellUncovered(changes, options))
    return changes
  } catch (thrown) {
    if (runtime.wasInterrupted() || !(thrown instanceof MemoError)) throw thrown
    return undefined // what was asked for is done; that this cannot be told now changes nothing of it
  }
}

/** Tells the result, which stands however `covering` ends, with what that found. Rejects as `covering` does. */
export async function told(tell: (uncovered?: number) => void, covering: Promise<number | undefined>): Promise<void> {
  let uncovered: number | undefined
  try {
    uncovered = await covering
  } finally {
    tell(uncovered)
  }
}

/** One line for people: what is not in a checkpoint, and what writes it. */
export function tellUncovered(changes: number, options: CommonOptions, what = 'change'): string {
  const at = options.data === undefined ? '' : ` --data ${quotedPath(options.data)}`
  const are = changes === 1 ? `${what} is` : `${what}s are`
  return `${changes} ${are} in no checkpoint yet; to write one: memo checkpoint${at}`
}

async function writeAll(
  { runtime }: Context,
  options: UserOptions,
  storage: Storage,
  did: string,
): Promise<CheckpointResult | undefined> {
  const { policy } = findProfile(dataDirOf(options)) ?? {}
  let last: CheckpointResult | undefined
  for (;;) {
    const result = await storage.writeCheckpoint(did, { policy, signal: runtime.signal })
    last = result ?? last
    if (!result || result.isComplete) return last
  }
}

function describe({ sizeBytes, gasUsed, lacking }: CheckpointResult): string {
  const cost = `${formatBytes(sizeBytes)}, ${gasUsed.toLocaleString('en')} gas`
  const lacks = lacking === 0 ? '' : `, but for ${lacking} part${lacking === 1 ? '' : 's'} that no keeper knows now`
  return `the chain remembers what you have stored up to now${lacks} (${cost})`
}

function jsonOf({ gasUsed, costWei, ...rest }: CheckpointResult) {
  return { event: 'checkpoint', written: true, ...rest, gasUsed: Number(gasUsed), costWei: `${costWei}` }
}
