import { type Address, type MatchRequest, MemoError, type ProviderClient } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { nodeFault } from '../errors.ts'
import { shuffled } from '../flow/shuffle.ts'
import { UnknownProviderError } from '../nodes/directory.ts'

/** Finds providers for the pieces of one put, as keepers propose them. */
export type Chooser = {
  /** Up to `count` providers outside `exclude`, best first; suspects only when there are no others. */
  propose(count: number, exclude: readonly Address[], signal: AbortSignal): Promise<ProviderClient[]>
}

export function createChooser(context: StorageContext, pieceBytes: number): Chooser {
  const { directory, ports, suspects, onFault } = context

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
    for (const keeper of shuffled(await directory.listKeepers(), ports.random)) {
      if (found.size >= request.count) return
      const proposed = await keeper.match(request, { signal }).catch((thrown: unknown) => {
        signal.throwIfAborted()
        if (!(thrown instanceof MemoError)) throw thrown
        onFault(nodeFault('keeper', keeper.address, thrown)) // another keeper is asked instead
        return []
      })
      for (const { address } of proposed) {
        if (found.size >= request.count || excluded.has(address)) continue
        const provider = await findActive(keeper.address, address)
        if (provider) found.set(address, provider)
      }
    }
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
