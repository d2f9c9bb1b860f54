import {
  type Address,
  type ErasurePolicy,
  geometryOf,
  NOBODY,
  type PlacedPart,
  type Placement,
  type ProviderClient,
  partIdOf,
  type Receipt,
  rebuildPiece,
  STRIP_BYTES,
  stripBytesOf,
  stripOffsetOf,
  TooFewPiecesError,
} from '@memo/core'
import type { StorageContext } from '../context.ts'
import { type NodeFault, NotEnoughProvidersError, nodeFault, UploadFailedError } from '../errors.ts'
import { createPipe } from '../flow/pipe.ts'
import { isOwnFault } from '../orders/errors.ts'
import { accountFor, paidRead } from '../read/paid-read.ts'
import type { Chooser } from './chooser.ts'
import { leastPiecesOf } from './lag.ts'
import type { SentPart } from './part-upload.ts'
import { sendPiece } from './piece-sender.ts'

/** A part whose pieces are stored, as keepers get it. */
export type StoredPart = PlacedPart & { readonly holders: ReadonlyMap<number, ProviderClient> }

type Holding = { readonly provider: ProviderClient; readonly receipt: Receipt }

/**
 * Makes up for the pieces that were not stored: each is rebuilt from k others and given to a provider that keepers
 * propose (`spec/sdk.md` 5). Where there is no other provider the piece stays unplaced, as long as k + ⌈m/2⌉ are
 * stored. Pieces that it stores are added to `stored`, so that a caller can delete them when it fails.
 *
 * @throws UploadFailedError, NotEnoughProvidersError when too few are stored; the signal's reason
 */
export async function completePart(
  context: StorageContext,
  options: ErasurePolicy & { readonly owner: string; readonly mayBeShared: boolean } & {
    readonly chooser: Chooser
    readonly signal: AbortSignal
  },
  sent: SentPart,
  stored: Map<number, Holding>,
): Promise<StoredPart> {
  const { dataShards, parityShards, owner, signal } = options
  const faults: NodeFault[] = [...sent.faults]
  const tried = new Set(sent.tried)
  const needed = leastPiecesOf(options)
  if (stored.size < dataShards) throw new UploadFailedError(needed, stored.size, faults)
  const draft = draftPlacement(options, sent, stored)
  let areOthers = true
  for (let index = 0; index < dataShards + parityShards && areOthers; index++) {
    if (stored.has(index)) continue
    areOthers = await placeRebuilt({ context, options, sent, stored, faults, tried, draft, index })
  }
  signal.throwIfAborted()
  if (stored.size < needed) {
    if (faults.length === 0) throw new NotEnoughProvidersError(needed, stored.size, faults)
    throw new UploadFailedError(needed, stored.size, faults)
  }
  const placement = draftPlacement({ dataShards, parityShards, owner }, sent, stored)
  return {
    placement,
    receipts: placement.pieces.map((_, index) => stored.get(index)?.receipt),
    holders: new Map([...stored].map(([index, { provider }]) => [index, provider])),
  }
}

type Rebuilding = {
  readonly context: StorageContext
  readonly options: { readonly chooser: Chooser; readonly signal: AbortSignal; readonly mayBeShared: boolean }
  readonly sent: SentPart
  readonly stored: Map<number, Holding>
  readonly faults: NodeFault[]
  readonly tried: Set<Address>
  readonly draft: Placement
  readonly index: number
}

/** Whether the piece found a place; false when there is no provider left to ask. */
async function placeRebuilt(work: Rebuilding): Promise<boolean> {
  const { context, options, stored, faults, tried, index } = work
  for (let attempt = 0; attempt < context.limits.pieceAttempts; attempt++) {
    const [provider] = await options.chooser.propose(1, [...tried], options.signal)
    if (!provider) return false
    tried.add(provider.address)
    try {
      stored.set(index, { provider, receipt: await rebuildOnto(work, provider) })
      return true
    } catch (thrown) {
      options.signal.throwIfAborted()
      if (thrown instanceof TooFewPiecesError)
        throw new UploadFailedError(leastPiecesOf(work.draft), stored.size, faults, thrown)
      if (isOwnFault(thrown)) {
        if (stored.size < leastPiecesOf(work.draft)) throw thrown
        return false
      }
      faults.push(nodeFault('provider', provider.address, thrown))
      context.suspects.add(provider.address)
      context.onFault(nodeFault('provider', provider.address, thrown))
    }
  }
  return true
}

/** Rebuilds a piece and streams it to its provider at the same time. */
async function rebuildOnto(work: Rebuilding, provider: ProviderClient): Promise<Receipt> {
  const { context, draft, index, sent, stored } = work
  const ended = new AbortController()
  const signal = AbortSignal.any([work.options.signal, ended.signal])
  const pipe = createPipe(signal)
  const geometry = geometryOf(draft)
  const account = accountFor(context, draft.sizeBytes, draft)
  const rebuilt = rebuildPiece({
    placement: draft,
    index,
    signal,
    write: pipe.write,
    async readStrip(pieceIndex, stripe, stop) {
      const source = stored.get(pieceIndex)
      const range = { offset: stripOffsetOf(stripe), length: stripBytesOf(geometry, stripe) }
      if (!source) return undefined
      const { provider: holder, receipt } = source
      return await paidRead(account, holder, receipt, stop).run(range.length, async (voucher) => {
        return await holder.read(sent.digests[pieceIndex]!, range, { signal: stop, voucher })
      })
    },
  })
  const made = rebuilt.then(pipe.end)
  const maxBytes = geometry.stripes * STRIP_BYTES
  const piece = {
    body: pipe.stream,
    maxBytes,
    findDigest: () => sent.digests[index],
    mayBeShared: work.options.mayBeShared,
  }
  const sending = sendPiece(context, provider, piece, signal)
  try {
    const [receipt] = await Promise.all([sending, made])
    return receipt
  } finally {
    ended.abort()
    await Promise.allSettled([sending, made])
  }
}

function draftPlacement(
  { dataShards, parityShards, owner }: ErasurePolicy & { readonly owner: string },
  sent: SentPart,
  stored: ReadonlyMap<number, Holding>,
): Placement {
  const head = { dataShards, parityShards, sizeBytes: sent.sizeBytes }
  const partId = partIdOf(
    head,
    sent.digests.map((digest) => digest.root),
  )
  const pieces = sent.digests.map(({ root }, index) => ({
    root,
    provider: stored.get(index)?.provider.address ?? NOBODY,
    orderId: stored.get(index)?.receipt.orderId ?? 0,
  }))
  const expiry = Math.min(...[...stored.values()].map(({ receipt }) => receipt.expiry))
  return { ...head, partId, pieces, owner, expiry }
}
