import { type Address, groupBy, HOLDINGS_PAGE, hex32, hexFromBytes, MemoError, type ProviderClient } from '@memo/core'
import type { StorageContext } from '../context.ts'
import type { OwnLogs } from '../index/own-log.ts'
import { askKeepers, readQuorumOf } from '../nodes/ask-keepers.ts'

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
 * Deletes pieces, as well as that goes: what a provider does not delete now costs space, not data. Bytes in clear have the
 * same pieces wherever they occur, and a provider keeps them once for each account. So where a piece may be `shared`, it
 * goes only if no other put counts on it and no keeper knows a live entry that needs it there (`spec/sdk.md` 8).
 */
export async function discardPieces(
  context: StorageContext,
  logs: Pick<OwnLogs, 'isPending'>,
  pieces: readonly HeldPiece[],
  mayBeShared: boolean,
): Promise<DeletedPiece[]> {
  const needed = mayBeShared ? await listNeeded(context, pieces) : new Set<string>()
  return await Promise.all(
    pieces.map(async (piece): Promise<DeletedPiece> => {
      const named = { provider: piece.provider.address, root: hexFromBytes(piece.root) }
      if (needed === undefined) return { ...named, deleted: false, reason: 'too few keepers say whether it is needed' }
      if (needed.has(keyOf(piece)) || (await logs.isPending(piece.provider.address, piece.root)))
        return keptPiece(piece)
      return { ...named, ...(await discardOne(context, piece)) }
    }),
  )
}

/** Why a piece stays that another object needs. */
export const NEEDED = 'another object needs it'

/** A piece that another object needs. */
export function keptPiece({ provider, root }: HeldPiece): DeletedPiece {
  return { provider: provider.address, root: hexFromBytes(root), deleted: false, reason: NEEDED }
}

async function discardOne(
  { clearedUp, pieceUse, orders, loose }: StorageContext,
  { provider, root }: HeldPiece,
): Promise<Pick<DeletedPiece, 'deleted' | 'reason'>> {
  try {
    const { address } = provider
    const deleted = await pieceUse.drop(address, root, async () => {
      const isDeleted = await provider.delete(root, { signal: clearedUp })
      await orders?.noteRemoved(address, root)
      await loose.drop({ provider: address, root })
      return isDeleted
    })
    return deleted === undefined ? { deleted: false, reason: 'another put needs it' } : { deleted }
  } catch (thrown) {
    if (!(thrown instanceof MemoError) && !clearedUp.aborted) throw thrown
    return { deleted: false, reason: thrown instanceof Error ? thrown.message : String(thrown) }
  }
}

/**
 * Pieces that a live entry needs, by the word of any keeper; undefined when too few answer for one of them to know whatever
 * is durable.
 */
async function listNeeded(context: StorageContext, pieces: readonly HeldPiece[]): Promise<Set<string> | undefined> {
  const byProvider = groupBy(pieces, (piece) => piece.provider.address)
  const needed = new Set<string>()
  const ask = async ([provider, held]: readonly [Address, readonly HeldPiece[]]) => {
    for (let at = 0; at < held.length; at += HOLDINGS_PAGE) {
      const page = held.slice(at, at + HOLDINGS_PAGE)
      const holdings = await listHoldings(context, provider, page)
      if (!holdings) return false
      for (const [i, piece] of page.entries()) if (holdings.has(i)) needed.add(keyOf(piece))
    }
    return true
  }
  const answers = await Promise.all([...byProvider].map(ask))
  return answers.every((isKnown) => isKnown) ? needed : undefined
}

/** Which of the pieces at one provider are needed, by their places. */
async function listHoldings(
  context: StorageContext,
  provider: Address,
  pieces: readonly HeldPiece[],
): Promise<Set<number> | undefined> {
  const roots = pieces.map((piece) => hex32(piece.root))
  try {
    const { answers } = await askKeepers(
      context,
      context.clearedUp,
      async (keeper, signal) => await keeper.listHoldings(provider, roots, { signal }),
    )
    if (answers.length < readQuorumOf((await context.directory.listKeepers()).length)) return undefined
    return new Set(answers.flatMap(({ answer }) => answer.flatMap((holding, i) => (holding === 'placed' ? [i] : []))))
  } catch (thrown) {
    if (!(thrown instanceof MemoError) && !context.clearedUp.aborted) throw thrown
    return undefined // nobody can be asked: why is of no matter to who gives pieces up
  }
}

function keyOf({ provider, root }: HeldPiece): string {
  return `${provider.address}/${hex32(root)}`
}
