import type { PlacedPart } from '@memo/core'
import type { StorageContext } from '../context.ts'
import type { NodeFault } from '../errors.ts'
import { keepersInTurn, noteFault } from '../nodes/ask-keepers.ts'

/**
 * A part as the first keeper that knows it has it, placed by `owner` if that DID has placed it; undefined when none does.
 * Who fails is added to `faults`.
 */
export async function findPart(
  context: StorageContext,
  partId: Uint8Array,
  owner: string | undefined,
  signal: AbortSignal | undefined,
  faults: NodeFault[] = [],
): Promise<PlacedPart | undefined> {
  for (const keeper of await keepersInTurn(context)) {
    try {
      const part = await keeper.findPart(partId, { owner, signal, timeoutMs: context.limits.askMs })
      if (part) return part
    } catch (thrown) {
      signal?.throwIfAborted()
      faults.push(noteFault(context, keeper.address, thrown))
    }
  }
  return undefined
}
