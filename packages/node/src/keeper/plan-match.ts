import type { Address, Candidate, MatchRequest, Randomness } from '@memo/core'
import type { ProviderView } from './prober.ts'

/** Room beyond which more of it does not raise a provider's chance: no giant takes every piece. */
const ROOM_CAP_BYTES = 2 ** 40
const UINT32 = 2 ** 32

/**
 * Providers for the pieces of a request, best first (`spec/keeper.md` 5): those that are alive, have room and are not
 * excluded, in random order weighted by their room, one of each operator before a second one of any.
 */
export function planMatch(views: readonly ProviderView[], request: MatchRequest, random: Randomness): Candidate[] {
  const excluded = new Set<Address>(request.exclude)
  const drawn = views
    .filter((view) => view.isAlive && view.freeBytes >= request.pieceBytes && !excluded.has(view.account.address))
    .map((view) => ({ account: view.account, key: drawKey(view.freeBytes, random) }))
    .sort((a, b) => a.key - b.key)
  const seen = new Map<string, number>()
  return drawn
    .map(({ account }, order) => {
      // Who gives no label is an operator of his own.
      const operator = account.operator === '' ? account.address : `=${account.operator}`
      const rank = seen.get(operator) ?? 0
      seen.set(operator, rank + 1)
      return { account, rank, order }
    })
    .sort((a, b) => a.rank - b.rank || a.order - b.order)
    .slice(0, request.count)
    .map(({ account }) => ({ address: account.address, endpoint: account.endpoint }))
}

/** An exponential variable with the rate `weight`: sorting by it draws without replacement, weighted. */
function drawKey(roomBytes: number, random: Randomness): number {
  const weight = Math.max(1, Math.min(roomBytes, ROOM_CAP_BYTES))
  const word = new DataView(random.bytes(4).slice().buffer).getUint32(0)
  return -Math.log((word + 1) / (UINT32 + 1)) / weight
}
