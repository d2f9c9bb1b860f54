import {
  type Address,
  hex32,
  hexFromBytes,
  isReceipt,
  NOBODY,
  NotFoundError,
  type PlacedPart,
  type Placement,
} from '@memo/core'
import type { StorageContext } from '../context.ts'
import { KeepersUnreachableError, type NodeFault } from '../errors.ts'
import { findPart } from '../index/find-part.ts'
import { askKeepers } from '../nodes/ask-keepers.ts'

/** How long a placement is believed; repair moves pieces rarely. */
const PLACEMENT_MS = 60_000
/** Placements that are remembered. */
const MAX_PLACEMENTS = 4_096

/** A part and every provider that is said to hold one of its pieces. */
export type LocatedPart = {
  readonly placement: Placement
  /** By piece, likeliest first. */
  readonly holders: readonly (readonly Address[])[]
  /** Whose placement was asked for. */
  readonly owner: string | undefined
  /** Whether all keepers were asked. */
  readonly isWide: boolean
}

/** Finds where parts are. */
export type PartLocator = {
  /** Where `owner` placed the part, or whoever was first. Errors: NotFoundError when keepers answer and none knows the part; KeepersUnreachableError when none answers. */
  locate(partId: Uint8Array, owner: string | undefined, signal: AbortSignal | undefined): Promise<LocatedPart>
  /** Asks all keepers: for when the holders that one named do not answer. */
  widen(part: LocatedPart, signal: AbortSignal | undefined): Promise<LocatedPart>
}

export function createPartLocator(context: StorageContext): PartLocator {
  const { clock } = context.ports
  const known = new Map<string, { readonly untilMs: number; readonly part: LocatedPart }>()
  const remember = (part: LocatedPart) => {
    const key = keyOf(part.placement.partId, part.owner)
    known.delete(key)
    known.set(key, { untilMs: clock.nowMs() + PLACEMENT_MS, part })
    const oldest = known.size > MAX_PLACEMENTS ? known.keys().next().value : undefined
    if (oldest !== undefined) known.delete(oldest)
    return part
  }
  return {
    async locate(partId, owner, signal) {
      const hit = known.get(keyOf(partId, owner))
      if (hit && hit.untilMs > clock.nowMs()) return hit.part
      const faults: NodeFault[] = []
      const placed = await findPart(context, partId, owner, signal, faults)
      if (placed) return remember(locatedPart(context, [placed], owner, false))
      const keepers = await context.directory.listKeepers()
      const what = `where part ${hexFromBytes(partId)} is`
      if (faults.length === keepers.length) throw new KeepersUnreachableError(what, faults)
      throw new NotFoundError(`no keeper that answers knows ${what}`, {
        blame: 'keeper',
        retry: 'later',
        details: { partId: hexFromBytes(partId), faults },
      })
    },
    async widen(part, signal) {
      const { owner } = part
      const { answers } = await askKeepers(context, signal, async (keeper, inner) => {
        return await keeper.findPart(part.placement.partId, { owner, signal: inner })
      })
      const placed = answers.map(({ answer }) => answer).filter((answer) => answer !== undefined)
      const wide = locatedPart(context, placed, owner, true)
      const holders = part.holders.map((some, index) => [...new Set([...some, ...(wide.holders[index] ?? [])])])
      return remember({ placement: part.placement, holders, owner, isWide: true })
    },
  }
}

/** Holders by piece: first those whose receipts are signed by them, and run longest; one alone needs no rank. */
function locatedPart(
  context: StorageContext,
  placed: readonly PlacedPart[],
  owner: string | undefined,
  isWide: boolean,
): LocatedPart {
  const { placement } = placed[0] ?? {}
  const holders = (placement?.pieces ?? []).map((_, index) => {
    const said = placed.flatMap((part) => {
      const receipt = part.receipts[index]
      const provider = part.placement.pieces[index]!.provider
      if (provider === NOBODY) return []
      const isSigned = placed.length > 1 && receipt !== undefined && isReceipt(context.ports.network, receipt)
      return [{ provider, rank: isSigned ? receipt.expiry : 0 }]
    })
    return [...new Set(said.sort((a, b) => b.rank - a.rank).map(({ provider }) => provider))]
  })
  return { placement: placement as Placement, holders, owner, isWide }
}

function keyOf(partId: Uint8Array, owner: string | undefined): string {
  return `${hex32(partId)} ${owner ?? ''}`
}
