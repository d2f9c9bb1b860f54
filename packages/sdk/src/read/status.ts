import { type Address, geometryOf, hex32, type Manifest, MemoError, NOBODY } from '@memo/core'
import type { StorageContext } from '../context.ts'
import type { PartLocator } from './locate.ts'

/** One piece of an object, as its provider answers now. */
export type PieceStatus = {
  /** 64 hex digits. */
  readonly partId: string
  /** Which piece of the part; those below `dataShards` carry the data itself. */
  readonly index: number
  readonly dataShards: number
  readonly parityShards: number
  readonly root: string
  /** The zero address where nobody holds the piece. */
  readonly provider: Address
  /** Whether the provider says that it holds the piece, in full. */
  readonly alive: boolean
  readonly sizeBytes: number
  /** Why it does not count as alive. */
  readonly reason?: string
}

/** Asks every holder of a piece of an object whether it has it. Errors: those of locating its parts. */
export async function statusOf(
  context: StorageContext,
  locator: PartLocator,
  manifest: Manifest,
  options: { readonly owner?: string | undefined; readonly signal?: AbortSignal | undefined },
): Promise<PieceStatus[]> {
  const { owner, signal } = options
  const statuses: PieceStatus[] = []
  const partIds = new Map(manifest.parts.map((part) => [hex32(part.partId), part.partId]))
  for (const [key, partId] of partIds) {
    const { placement, holders } = await locator.locate(partId, owner, signal)
    const { dataShards, parityShards } = placement
    const { pieceBytes } = geometryOf(placement)
    const ofPart = placement.pieces.map(async ({ root }, index): Promise<PieceStatus> => {
      const provider = holders[index]?.[0] ?? NOBODY
      const named = { partId: key, index, dataShards, parityShards, root: hex32(root), provider, sizeBytes: pieceBytes }
      const reason = await faultOf(context, provider, root, pieceBytes, signal)
      return { ...named, alive: reason === undefined, ...(reason === undefined ? {} : { reason }) }
    })
    statuses.push(...(await Promise.all(ofPart)))
  }
  return statuses
}

async function faultOf(
  { directory }: StorageContext,
  provider: Address,
  root: Uint8Array,
  pieceBytes: number,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (provider === NOBODY) return 'nobody holds it'
  try {
    const sizeBytes = await (await directory.getProvider(provider)).findSize(root, { signal })
    if (sizeBytes === undefined) return 'the provider does not have it'
    return sizeBytes === pieceBytes ? undefined : `the provider has ${sizeBytes} bytes of it`
  } catch (thrown) {
    signal?.throwIfAborted()
    if (!(thrown instanceof MemoError)) throw thrown
    return `${thrown.name}: ${thrown.message}`
  }
}
