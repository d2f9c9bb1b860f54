import type { Address, ProviderClient } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { nodeFault } from '../errors.ts'
import { isOwnFault } from '../orders/errors.ts'
import type { Chooser } from './chooser.ts'

/**
 * Up to `count` proposed providers with whom there is room under an order for a piece, so that no byte is sent before it is
 * known who pays. One that refuses is told of, and another is asked in its place. Errors: those of the chooser; what keeps
 * this account from paying, where fewer than `least` were found.
 */
export async function proposePayable(
  context: StorageContext,
  chooser: Chooser,
  wanted: { readonly count: number; readonly least: number; readonly pieceBytes: number },
  signal: AbortSignal,
): Promise<ProviderClient[]> {
  const { orders } = context
  const { count, least, pieceBytes } = wanted
  if (!orders) return await chooser.propose(count, [], signal)
  const ready: ProviderClient[] = []
  const tried = new Set<Address>()
  let own: unknown
  while (ready.length < count && own === undefined) {
    const proposed = await chooser.propose(count - ready.length, [...tried], signal)
    const asked = proposed.map(async (provider) => {
      tried.add(provider.address)
      try {
        const room = await orders.ensure(provider.address, pieceBytes, signal)
        room.release() // the lane takes it again when it begins
        ready.push(provider)
      } catch (thrown) {
        signal.throwIfAborted()
        if (isOwnFault(thrown)) own = thrown
        else blame(context, provider, thrown)
      }
    })
    await Promise.all(asked)
    if (proposed.length === 0) break
  }
  if (own !== undefined && ready.length < least) throw own
  return ready
}

function blame({ suspects, onFault }: StorageContext, provider: ProviderClient, thrown: unknown): void {
  suspects.add(provider.address)
  onFault(nodeFault('provider', provider.address, thrown))
}
