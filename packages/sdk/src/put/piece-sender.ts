import {
  BadAnswerError,
  type ByteStream,
  equalBytes,
  hexFromBytes,
  MemoError,
  PIECE_TIMEOUT_MS,
  type ProviderClient,
  type Receipt,
} from '@memo/core'
import type { StorageContext } from '../context.ts'
import type { OrderLease } from '../orders/order-book.ts'
import type { LoosePiece } from './loose-pieces.ts'

/** Keepers take receipts that run past now + 1 hour (`spec/wire.md` 6); a little more, for the way to them. */
const MIN_RECEIPT_SECONDS = 3_900
const UPLOAD_ID_BYTES = 32

/** A provider that was given up because the others were so much faster. */
export class TooSlowError extends MemoError {
  override readonly name: string = 'TooSlowError'
  constructor(provider: string, details: Readonly<Record<string, unknown>>) {
    super(`provider ${provider} is too slow to keep up with the others`, {
      blame: 'provider',
      retry: 'later',
      details: { provider, ...details },
    })
  }
}

/** A piece that streams to a provider; its root is known when the stream has ended. */
export type OutgoingPiece = {
  readonly body: ByteStream
  /** At the most. */
  readonly maxBytes: number
  /** What was sent; undefined as long as there is more to send. */
  findDigest(): { readonly root: Uint8Array; readonly sizeBytes: number } | undefined
  /** Its bytes are not sealed under a key of this put alone: others may store the same piece. */
  readonly mayBeShared: boolean
}

type SendContext = Pick<StorageContext, 'ports' | 'pieceUse' | 'orders' | 'loose'>

/**
 * Streams a piece to a provider, compares what it received with what was sent, and has it keep the piece. Errors: those
 * of the exchange; BadAnswerError when the provider received something else or gave a receipt that soon expires, or one
 * under another order; those of the order that pays for it.
 */
export async function sendPiece(
  context: SendContext,
  provider: ProviderClient,
  piece: OutgoingPiece,
  signal: AbortSignal,
): Promise<Receipt> {
  const lease = (await context.orders?.ensure(provider.address, piece.maxBytes, signal)) ?? UNPAID
  try {
    const receipt = await sendUnder(context, provider, { ...piece, orderId: lease.orderId }, signal)
    lease.stored(receipt)
    return receipt
  } catch (thrown) {
    lease.release(thrown)
    throw thrown
  }
}

/** Order 0: what a provider takes without one. */
const UNPAID: OrderLease = { orderId: 0, stored: () => undefined, release: () => undefined }

async function sendUnder(
  context: SendContext,
  provider: ProviderClient,
  piece: OutgoingPiece & { readonly orderId: number },
  signal: AbortSignal,
): Promise<Receipt> {
  const { ports, pieceUse } = context
  const uploadId = ports.random.bytes(UPLOAD_ID_BYTES)
  const terms = { maxBytes: piece.maxBytes, orderId: piece.orderId }
  const received = await provider.upload(uploadId, piece.body, terms, { signal, timeoutMs: PIECE_TIMEOUT_MS })
  const sent = piece.findDigest()
  if (!sent) throw bad(provider, 'answered before it had the whole piece', {})
  if (received.sizeBytes !== sent.sizeBytes || !equalBytes(received.root, sent.root)) {
    throw bad(provider, 'says that it received another piece than was sent', {
      sent: hexFromBytes(sent.root),
      received: hexFromBytes(received.root),
    })
  }
  return await pieceUse.keep(provider.address, sent.root, async () => {
    if (piece.orderId !== 0) await noteLoose(context, provider, { ...sent, mayBeShared: piece.mayBeShared })
    const receipt = await commitPiece(provider, uploadId, sent, signal)
    if (receipt.orderId !== piece.orderId) {
      throw bad(provider, 'gave a receipt under another order', { orderId: receipt.orderId, expected: piece.orderId })
    }
    const nowSeconds = Math.floor(ports.clock.nowMs() / 1000)
    if (receipt.expiry < nowSeconds + MIN_RECEIPT_SECONDS) {
      throw bad(provider, 'gave a receipt that soon expires', { expiry: receipt.expiry })
    }
    return receipt
  })
}

/** No entry names the piece yet: should this process end before one does, it is given up later (`spec/sdk.md` 20). */
async function noteLoose(
  { orders, loose, ports }: SendContext,
  { address: provider }: ProviderClient,
  { root, sizeBytes, mayBeShared }: Pick<LoosePiece, 'root' | 'sizeBytes' | 'mayBeShared'>,
): Promise<void> {
  // What lay there before is somebody else's, or was noted by who stored it.
  const isNew = !mayBeShared || (await loose.find(provider, root)) || (await orders?.holds(provider, root)) === false
  if (!isNew) return
  await loose.note({ provider, root, sizeBytes, sinceMs: ports.clock.nowMs(), wasNamed: false, mayBeShared })
}

/** A commit whose answer was lost is repeated once: it repeats the receipt (`spec/wire.md` 4). */
async function commitPiece(
  provider: ProviderClient,
  uploadId: Uint8Array,
  piece: { readonly root: Uint8Array; readonly sizeBytes: number },
  signal: AbortSignal,
): Promise<Receipt> {
  try {
    return await provider.commit(uploadId, piece, { signal })
  } catch (thrown) {
    if (signal.aborted || !(thrown instanceof MemoError) || thrown.retry !== 'now') throw thrown
    return await provider.commit(uploadId, piece, { signal })
  }
}

function bad(provider: ProviderClient, what: string, details: Readonly<Record<string, unknown>>): BadAnswerError {
  return new BadAnswerError(`provider ${provider.address} ${what}`, {
    blame: 'provider',
    retry: 'now',
    details: { provider: provider.address, ...details },
  })
}
