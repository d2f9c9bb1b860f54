import type { CheckpointResult } from '@memo/sdk'
import { formatBytes } from '../output.ts'
import type { Verb } from '../program.ts'
import { dataDirOf, findProfile } from '../settings.ts'
import { type UserOptions, withSession } from './open-storage.ts'

/** `memo checkpoint`: has the chain remember what this key has stored, so that it is found without keepers. */
export const checkpoint: Verb<UserOptions> = async (context, options) => {
  const { output, runtime } = context
  const { policy } = findProfile(dataDirOf(options)) ?? {}
  await withSession(context, { ...options, paying: 'must' }, async ({ identity, storage }) => {
    let last: CheckpointResult | undefined
    for (;;) {
      const result = await storage.writeCheckpoint(identity.did, { policy, signal: runtime.signal })
      last = result ?? last
      if (!result || result.isComplete) break
    }
    if (!last) {
      output.data('the chain remembers all of it already', { event: 'checkpoint', did: identity.did, written: false })
      return
    }
    const { gasUsed, costWei, ...rest } = last
    const text = `the chain remembers the log up to entry ${last.seq} (${formatBytes(last.sizeBytes)}, ${gasUsed} gas)`
    const json = { event: 'checkpoint', written: true, ...rest, gasUsed: Number(gasUsed), costWei: `${costWei}` }
    output.data(text, json)
  })
  return undefined
}
