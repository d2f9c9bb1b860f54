import {
  type Address,
  geometryOf,
  hex32,
  hexFromBytes,
  MemoError,
  NOBODY,
  NotFoundError,
  type Placement,
} from '@memo/core'
import type { StorageContext } from '../context.ts'
import type { LocatedPart, PartLocator } from '../read/locate.ts'

/** Providers that are asked for the pieces of a part whose holders are gone. */
const MAX_ASKED = 1_024
const ASKED_AT_ONCE = 16

/** How often providers may still be asked whether they hold a piece. */
export type QuestionBudget = { left: number }

/**
 * Finds parts by placements that are at hand, without a keeper. Where the holders that they name do not answer, all
 * providers that the chain knows are asked, as far as `budget` goes: repair moves pieces, and a checkpoint may be older than
 * that.
 */
export function createPlacementLocator(
  context: StorageContext,
  placements: ReadonlyMap<string, Placement>,
  budget: QuestionBudget = { left: Number.POSITIVE_INFINITY },
): PartLocator {
  const wide = new Map<string, Promise<LocatedPart>>()
  return {
    async locate(partId, owner) {
      const key = hex32(partId)
      const known = wide.get(key)
      if (known !== undefined) return await known
      const placement = placements.get(key)
      if (placement) return { placement, holders: placement.pieces.map(holdersOf), owner, isWide: false }
      throw new NotFoundError(`no checkpoint says where part ${hexFromBytes(partId)} is`, {
        details: { partId: hexFromBytes(partId) },
      })
    },
    async widen(part, signal) {
      const key = hex32(part.placement.partId)
      const asked = wide.get(key) ?? askAll(context, part, budget, signal)
      wide.set(key, asked)
      asked.catch(() => wide.delete(key)) // whoever asked has the error; the next one asks again
      return await asked
    },
  }
}

function holdersOf({ provider }: { readonly provider: Address }): readonly Address[] {
  return provider === NOBODY ? [] : [provider]
}

async function askAll(
  context: StorageContext,
  part: LocatedPart,
  budget: QuestionBudget,
  signal: AbortSignal | undefined,
): Promise<LocatedPart> {
  const { pieceBytes } = geometryOf(part.placement)
  const providers = (await context.chain.listProviders()).filter(({ endpoint }) => endpoint !== '').slice(0, MAX_ASKED)
  const found = part.holders.map((holders) => new Set(holders))
  const questions = part.placement.pieces.flatMap(({ root }, index) =>
    providers.filter(({ address }) => !found[index]?.has(address)).map(({ address }) => ({ index, root, address })),
  )
  const ask = async () => {
    for (let next = questions.pop(); next && budget.left > 0; next = questions.pop()) {
      budget.left -= 1
      const { index, root, address } = next
      if (await holds(context, address, root, pieceBytes, signal)) found[index]?.add(address)
    }
  }
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, ask))
  return { ...part, holders: found.map((holders) => [...holders]), isWide: true }
}

async function holds(
  { directory, limits }: StorageContext,
  address: Address,
  root: Uint8Array,
  pieceBytes: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    const provider = await directory.getProvider(address)
    return (await provider.findSize(root, { signal, timeoutMs: limits.askMs })) === pieceBytes
  } catch (thrown) {
    signal?.throwIfAborted()
    if (!(thrown instanceof MemoError)) throw thrown
    return false // whoever does not answer holds nothing that could be read
  }
}
