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
}

/**
 * Streams a piece to a provider, compares what it received with what was sent, and has it keep the piece. Errors: those
 * of the exchange; BadAnswerError when the provider received something else or gave a receipt that soon expires.
 */
export async function sendPiece(
  { ports, pieceUse }: Pick<StorageContext, 'ports' | 'pieceUse'>,
  provider: ProviderClient,
  piece: OutgoingPiece,
  signal: AbortSignal,
): Promise<Receipt> {
  const uploadId = ports.random.bytes(UPLOAD_ID_BYTES)
  const terms = { maxBytes: piece.maxBytes, orderId: 0 }
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
    const receipt = await commitPiece(provider, uploadId, sent, signal)
    const nowSeconds = Math.floor(ports.clock.nowMs() / 1000)
    if (receipt.expiry < nowSeconds + MIN_RECEIPT_SECONDS) {
      throw bad(provider, 'gave a receipt that soon expires', { expiry: receipt.expiry })
    }
    return receipt
  })
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
