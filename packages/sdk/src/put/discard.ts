import { type Address, equalBytes, hexFromBytes, MemoError, type ProviderClient } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { findPart } from '../index/find-part.ts'

/** What became of one piece that was to be deleted. */
export type DeletedPiece = {
  readonly provider: Address
  readonly root: string
  readonly deleted: boolean
  /** Why it was not deleted. */
  readonly reason?: string
}

/** A piece and who holds it. */
export type HeldPiece = { readonly provider: ProviderClient; readonly root: Uint8Array }

/**
 * Deletes pieces of one part, as well as that goes: what a provider does not delete now costs space, not data. Parts
 * stored in clear have the same pieces wherever their bytes occur, and a provider keeps them once for each account; so
 * of these only pieces go that no part known to keepers needs (`spec/sdk.md` 8).
 */
export async function discardPieces(
  context: StorageContext,
  pieces: readonly HeldPiece[],
  part: { readonly isClear: boolean; readonly partId: Uint8Array | undefined; readonly owner: string },
): Promise<DeletedPiece[]> {
  const signal = context.closed
  const { partId, owner } = part
  // The placement by this owner, and the one that stands first where the part is somebody else's as well.
  const known =
    part.isClear && partId
      ? await Promise.all([owner, undefined].map((who) => findPart(context, partId, who, signal)))
      : []
  return await Promise.all(
    pieces.map(async ({ provider, root }): Promise<DeletedPiece> => {
      const named = { provider: provider.address, root: hexFromBytes(root) }
      const isNeeded = known
        .flatMap((placed) => placed?.placement.pieces ?? [])
        .some((piece) => piece.provider === provider.address && equalBytes(piece.root, root))
      if (isNeeded) return { ...named, deleted: false, reason: 'another object needs it' }
      try {
        return { ...named, deleted: await provider.delete(root, { signal }) }
      } catch (thrown) {
        if (!(thrown instanceof MemoError) && !signal.aborted) throw thrown
        return { ...named, deleted: false, reason: thrown instanceof Error ? thrown.message : String(thrown) }
      }
    }),
  )
}
