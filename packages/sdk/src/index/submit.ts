import { ackQuorumOf, type IndexAck, type IndexBundle, type KeeperClient, MemoError } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { type NodeFault, nodeFault } from '../errors.ts'
import { orAborted } from '../flow/abortable.ts'
import { createGate } from '../flow/gate.ts'

/** What keepers answered to one entry. */
export type Submission = {
  readonly acks: readonly IndexAck[]
  readonly needed: number
  /** Keepers whose log does not end where the entry begins, with the number at which theirs ends. */
  readonly conflicts: readonly { readonly keeper: KeeperClient; readonly seq: number }[]
  readonly faults: readonly NodeFault[]
  /** Faults that are refusals for good, in the words of the keepers. */
  readonly refusals: readonly NodeFault[]
  readonly keepers: number
}

/**
 * Hands an entry to all keepers at once. Resolves when two thirds have acknowledged it and the others had a moment
 * more, or when all have answered; those that are still at it go on in the background (`spec/sdk.md` 6).
 */
export async function submitBundle(
  context: StorageContext,
  bundle: IndexBundle,
  signal: AbortSignal,
): Promise<Submission> {
  const { directory, ports, limits, follow, closed } = context
  const keepers = await directory.listKeepers()
  const needed = ackQuorumOf(keepers.length)
  const acks: IndexAck[] = []
  const conflicts: { keeper: KeeperClient; seq: number }[] = []
  const faults: NodeFault[] = []
  const refusals: NodeFault[] = []
  const enough = createGate()
  const submitOne = async (keeper: KeeperClient) => {
    try {
      acks.push(await keeper.submit(bundle, { signal: closed }))
      if (acks.length >= needed) enough.open()
    } catch (thrown) {
      if (!(thrown instanceof MemoError) && !closed.aborted) throw thrown
      const seq = conflictSeqOf(thrown)
      if (seq !== undefined) conflicts.push({ keeper, seq })
      const fault = nodeFault('keeper', keeper.address, thrown)
      faults.push(fault)
      if (seq !== undefined) return
      if (isRefusal(thrown)) refusals.push(fault)
      else context.suspects.add(keeper.address)
    }
  }
  const all = Promise.all(keepers.map(submitOne))
  follow(all)
  await orAborted(Promise.race([all, enough.opened]), signal)
  if (acks.length < keepers.length) {
    await orAborted(Promise.race([all, ports.timers.sleep(limits.ackGraceMs, signal)]), signal)
  }
  return {
    acks: [...acks],
    needed,
    conflicts: [...conflicts],
    faults: [...faults],
    refusals: [...refusals],
    keepers: keepers.length,
  }
}

/** The number of the head that a keeper names when it refuses an entry because its log ends elsewhere. */
function conflictSeqOf(thrown: unknown): number | undefined {
  const isConflict = thrown instanceof MemoError && thrown.name === 'IndexConflictError'
  if (!isConflict) return undefined
  const { seq } = thrown.details
  return Number.isSafeInteger(seq) ? (seq as number) : 0
}

function isRefusal(thrown: unknown): boolean {
  return thrown instanceof MemoError && thrown.blame === 'user' && thrown.retry === 'never'
}
