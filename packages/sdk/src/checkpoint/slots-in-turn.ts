import type { StorageContext } from '../context.ts'
import { forEachAtOnce } from '../flow/for-each-at-once.ts'
import type { CheckpointChain, CheckpointSlot } from './chain.ts'

/** A slot, and whether a key of the DID writes it. */
export type RankedSlot = { readonly slot: CheckpointSlot; readonly isOfKey: boolean }

/** Slots that are looked at. */
const MAX_SLOTS = 1_024
const ACCOUNTS_AT_ONCE = 16
/** Of an account that the chain does not know any more. */
const LAST_RANK: number = 2 ** 53

/**
 * The slots of a DID in the order in which they are believed first: those of its keys, then those of the accounts that have
 * been there for longest (`spec/checkpoint.md` 9). Errors: those of the chain.
 */
export async function slotsInTurn(
  { chain: accounts }: StorageContext,
  chain: CheckpointChain,
  did: string,
  signal: AbortSignal,
): Promise<RankedSlot[]> {
  const keys = new Set((await accounts.findDid(did))?.authenticationKeys.map((key) => key.address))
  const ranked: { slot: CheckpointSlot; rank: number }[] = []
  await forEachAtOnce(await chain.list(did), ACCOUNTS_AT_ONCE, async (slot) => {
    signal.throwIfAborted()
    const rank = keys.has(slot.writer) ? -1 : ((await accounts.findAccount(slot.writer))?.index ?? LAST_RANK)
    ranked.push({ slot, rank })
  })
  return ranked
    .sort((a, b) => a.rank - b.rank || (a.slot.writer < b.slot.writer ? -1 : 1))
    .slice(0, MAX_SLOTS)
    .map(({ slot, rank }) => ({ slot, isOfKey: rank < 0 }))
}
