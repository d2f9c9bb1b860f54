import {
  type Address,
  ackQuorumOf,
  groupBy,
  HOLDINGS_PAGE,
  type Holding,
  hex32,
  type KeeperClient,
  MemoError,
  type ProviderClient,
} from '@memo/core'
import type { StorageContext } from '../context.ts'
import { nodeFault } from '../errors.ts'
import type { OwnLogs } from '../index/own-log.ts'
import { noteFault } from '../nodes/ask-keepers.ts'
import type { OrderBook } from '../orders/order-book.ts'
import type { LoosePiece } from './loose-pieces.ts'

/** How many pieces, and of how many bytes. */
export type PieceTally = { readonly pieces: number; readonly bytes: number }

/** What one pass over loose pieces did (`spec/sdk.md` 20). */
export type SweepResult = {
  readonly givenUp: PieceTally
  /** Old enough, and not known well enough to go: too few keepers say so, or their provider does not answer. */
  readonly kept: PieceTally
}

export type SweepOptions = {
  /** What is younger stays. Default 24 hours. */
  readonly graceMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

const DEFAULT_GRACE_MS = 86_400_000
/** A provider that was away for so long has no order that runs: 365 days at the most, and what it keeps afterwards. */
const FORGET_MS = 400 * 86_400_000
/** Name with which a provider refuses to delete what this account has not stored there. */
const NOT_OURS = 'ForbiddenError'

type Fate = 'given-up' | 'needed' | 'kept' | 'forgotten'

/**
 * Gives up loose pieces that are older than the grace and that no live entry needs. Whatever it was killed at, the next pass
 * does again: the note of a piece goes last. Errors: those of the store; the signal's reason.
 */
export async function sweepLoose(
  context: StorageContext,
  logs: Pick<OwnLogs, 'isPending'>,
  { graceMs = DEFAULT_GRACE_MS, signal }: SweepOptions = {},
): Promise<SweepResult> {
  const { orders, loose, ports } = context
  const sums = { 'given-up': [0, 0], needed: [0, 0], kept: [0, 0], forgotten: [0, 0] } satisfies Record<Fate, number[]>
  if (orders) {
    const scope = AbortSignal.any([context.closed, ...(signal ? [signal] : [])])
    const work: Work = { context, logs, orders, graceMs, signal: scope }
    for await (const page of loose.listPages(HOLDINGS_PAGE)) {
      scope.throwIfAborted()
      const nowMs = ports.clock.nowMs()
      // A clock that was ahead when it noted a piece must not keep it until then.
      for (const piece of page) if (piece.sinceMs > nowMs) await noteAgain(work, piece)
      const due = page.filter(({ sinceMs }) => sinceMs <= nowMs - graceMs)
      for (const [provider, pieces] of groupBy(due, (piece) => piece.provider)) {
        for (const { piece, fate } of await sweepProvider(work, provider, pieces)) {
          sums[fate][0] = (sums[fate][0] ?? 0) + 1
          sums[fate][1] = (sums[fate][1] ?? 0) + piece.sizeBytes
        }
      }
    }
  }
  const tally = ([pieces = 0, bytes = 0]: readonly number[]): PieceTally => ({ pieces, bytes })
  return { givenUp: tally(sums['given-up']), kept: tally(sums.kept) }
}

type Work = {
  readonly context: StorageContext
  readonly logs: Pick<OwnLogs, 'isPending'>
  readonly orders: OrderBook
  readonly graceMs: number
  readonly signal: AbortSignal
}

async function sweepProvider(
  work: Work,
  address: Address,
  pieces: readonly LoosePiece[],
): Promise<{ readonly piece: LoosePiece; readonly fate: Fate }[]> {
  const { context, signal } = work
  const roots = pieces.map(({ root }) => hex32(root))
  const { said, keepers } = await askAll(context, signal, (keeper) => keeper.listHoldings(address, roots, { signal }))
  const fates: { piece: LoosePiece; fate: Fate }[] = []
  for (const [i, piece] of pieces.entries()) {
    signal.throwIfAborted()
    const verdict = verdictOf(
      piece,
      said.map((holdings) => holdings[i]!),
      keepers,
    )
    fates.push({ piece, fate: await carryOut(work, piece, verdict) })
  }
  return fates
}

/** What becomes of a piece by the word of the keepers that answered, of so many. */
export function verdictOf(
  { wasNamed, mayBeShared }: Pick<LoosePiece, 'wasNamed' | 'mayBeShared'>,
  said: readonly Holding[],
  keepers: number,
): 'given-up' | 'needed' | 'kept' {
  if (said.includes('placed')) return 'needed'
  const released = said.filter((holding) => holding === 'released').length
  // Keepers may have lost their records: of what an entry named, they must say that it was let go.
  if (wasNamed) return keepers > 0 && released >= ackQuorumOf(keepers) ? 'given-up' : 'kept'
  // As many as make an entry durable: one of both at least tells the truth, since the others are fewer than a third.
  const needed = mayBeShared ? keepers : ackQuorumOf(keepers)
  return keepers > 0 && said.length >= needed ? 'given-up' : 'kept'
}

async function carryOut(work: Work, piece: LoosePiece, fate: Fate): Promise<Fate> {
  if (fate === 'needed') return await noteAgain(work, piece)
  return fate === 'given-up' ? await giveUp(work, piece) : fate
}

/**
 * Does something with a piece on which no put counts, while none can begin to, as long as the note is the one that was judged:
 * another put, or an entry, may have changed it meanwhile.
 */
async function ifStillLoose({ context }: Work, piece: LoosePiece, act: () => Promise<Fate>): Promise<Fate> {
  const { provider, root, sinceMs } = piece
  const fate = await context.pieceUse.drop(provider, root, async () => {
    const now = await context.loose.find(provider, root)
    return now?.sinceMs === sinceMs ? await act() : 'needed'
  })
  return fate ?? 'needed'
}

/** Looks at the piece again when another grace has passed. */
async function noteAgain(work: Work, piece: LoosePiece): Promise<Fate> {
  const { loose, ports } = work.context
  return await ifStillLoose(work, piece, async () => {
    await loose.note({ ...piece, sinceMs: ports.clock.nowMs() })
    return 'needed'
  })
}

async function forget(work: Work, piece: LoosePiece): Promise<Fate> {
  return await ifStillLoose(work, piece, async () => {
    await work.context.loose.drop(piece)
    return 'forgotten'
  })
}

async function giveUp(work: Work, piece: LoosePiece): Promise<Fate> {
  const { context, logs, orders, signal } = work
  const { provider, root } = piece
  try {
    const client = await context.directory.getProvider(provider)
    return await ifStillLoose(work, piece, async () => {
      if (await logs.isPending(provider, root)) return 'needed'
      await deleteAt(client, root, signal)
      // Also where it was given up before: the process may have ended before the book knew.
      await orders.noteRemoved(provider, root)
      await context.loose.drop(piece)
      return 'given-up'
    })
  } catch (thrown) {
    if (!(thrown instanceof MemoError) || signal.aborted) throw thrown
    // No order lasts for so long without its provider: nobody pays for the piece any more.
    const isOver = piece.sinceMs < context.ports.clock.nowMs() - FORGET_MS
    if (isOver) return await forget(work, piece)
    context.onFault(nodeFault('provider', provider, thrown))
    return 'kept'
  }
}

/** What a provider says was never stored there is not to be paid for any more either. */
async function deleteAt(client: ProviderClient, root: Uint8Array, signal: AbortSignal): Promise<void> {
  try {
    await client.delete(root, { signal })
  } catch (thrown) {
    if (!(thrown instanceof MemoError) || thrown.name !== NOT_OURS) throw thrown
  }
}

/** What all keepers answer, as far as they do: whoever is slow is waited for. */
async function askAll<T>(
  context: StorageContext,
  signal: AbortSignal,
  ask: (keeper: KeeperClient) => Promise<T>,
): Promise<{ readonly said: readonly T[]; readonly keepers: number }> {
  const keepers = await context.directory.listKeepers()
  const answers = keepers.map(async (keeper) => {
    try {
      return [await ask(keeper)]
    } catch (thrown) {
      signal.throwIfAborted()
      noteFault(context, keeper.address, thrown)
      return []
    }
  })
  return { said: (await Promise.all(answers)).flat(), keepers: keepers.length }
}
