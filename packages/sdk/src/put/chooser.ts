import type { Address, MatchRequest, ProviderClient } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { KeepersUnreachableError, type NodeFault, nodeFault } from '../errors.ts'
import { keepersInTurn, noteFault } from '../nodes/ask-keepers.ts'
import { UnknownProviderError } from '../nodes/directory.ts'

/** Finds providers for the pieces of one put, as keepers propose them. */
export type Chooser = {
  /**
   * Up to `count` providers outside `exclude`, best first; suspects only when there are no others. Errors:
   * {@link KeepersUnreachableError} when no keeper answers.
   */
  propose(count: number, exclude: readonly Address[], signal: AbortSignal): Promise<ProviderClient[]>
}

export function createChooser(context: StorageContext, pieceBytes: number): Chooser {
  const { directory, limits, suspects, onFault } = context

  /** The chain, not the keeper, says who is a provider and where. */
  const findActive = async (keeper: Address, address: Address) => {
    try {
      return await directory.getActiveProvider(address)
    } catch (thrown) {
      if (!(thrown instanceof UnknownProviderError)) throw thrown
      onFault(nodeFault('keeper', keeper, thrown))
      return undefined
    }
  }
  const ask = async (request: MatchRequest, found: Map<Address, ProviderClient>, signal: AbortSignal) => {
    const excluded = new Set(request.exclude)
    const keepers = await keepersInTurn(context)
    const faults: NodeFault[] = []
    for (const keeper of keepers) {
      if (found.size >= request.count) return
      const proposed = await keeper.match(request, { signal, timeoutMs: limits.askMs }).catch((thrown: unknown) => {
        signal.throwIfAborted()
        faults.push(noteFault(context, keeper.address, thrown)) // another keeper is asked instead
        return []
      })
      for (const { address } of proposed) {
        if (found.size >= request.count || excluded.has(address)) continue
        const provider = await findActive(keeper.address, address)
        if (provider) found.set(address, provider)
      }
    }
    if (faults.length === keepers.length) throw new KeepersUnreachableError('who has room for the pieces', faults)
  }
  return {
    async propose(count, exclude, signal) {
      const found = new Map<Address, ProviderClient>()
      const trusted = [...new Set([...exclude, ...suspects.list()])]
      await ask({ count, pieceBytes, exclude: trusted }, found, signal)
      if (found.size < count && trusted.length > exclude.length) {
        await ask({ count, pieceBytes, exclude: [...new Set([...exclude, ...found.keys()])] }, found, signal)
      }
      return [...found.values()]
    },
  }
}
