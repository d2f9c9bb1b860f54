import { decodeCbor, encodeCbor } from '../bytes/index.ts'
import { BadInputError } from '../errors/index.ts'
import type { Network } from '../keys/index.ts'
import { decodeSignedEntry, type SignedEntry } from '../log/index.ts'
import { geometryOf, type Placement, placementFromPlain, placementToPlain } from '../placement/index.ts'
import type { Receipt } from './receipt.ts'

/** A part as keepers keep it: where its pieces are, and each provider's word for its piece. */
export type PlacedPart = {
  readonly placement: Placement
  /** By piece; undefined where the piece is not placed yet. */
  readonly receipts: readonly (Receipt | undefined)[]
}

/** What makes an object durable at a keeper: its index entry and the parts that the entry names. */
export type IndexBundle = {
  readonly signed: SignedEntry
  readonly parts: readonly PlacedPart[]
}

/** Encoded bundle at the most. */
export const MAX_BUNDLE_BYTES = 67_108_864

export function encodeBundle(bundle: IndexBundle): Uint8Array {
  return encodeCbor({
    v: 1,
    entry: bundle.signed.bytes,
    signature: bundle.signed.signature,
    parts: bundle.parts.map(placedPartToPlain),
  })
}

/** Parses a bundle and checks the writer's signature; receipts are not checked here. Errors: {@link BadInputError}. */
export function decodeBundle(network: Network, bytes: Uint8Array): IndexBundle {
  if (bytes.length > MAX_BUNDLE_BYTES) throw new BadInputError('an index bundle that is too large')
  const { v, entry, signature, parts } = decodeRecord(bytes)
  if (v !== 1) throw new BadInputError('an index bundle of an unknown version')
  if (!(entry instanceof Uint8Array) || !(signature instanceof Uint8Array) || !Array.isArray(parts)) {
    throw new BadInputError('a malformed index bundle')
  }
  return { signed: decodeSignedEntry(network, entry, signature), parts: parts.map(placedPartFromPlain) }
}

export function encodePlacedPart(part: PlacedPart): Uint8Array {
  return encodeCbor(placedPartToPlain(part))
}

/** Parses {@link encodePlacedPart}. Errors: {@link BadInputError}. */
export function decodePlacedPart(bytes: Uint8Array): PlacedPart {
  return placedPartFromPlain(decodeRecord(bytes))
}

function placedPartToPlain(part: PlacedPart): unknown {
  return {
    placement: placementToPlain(part.placement),
    receipts: part.receipts.map((receipt) => (receipt ? [receipt.expiry, receipt.signature] : null)),
  }
}

function placedPartFromPlain(plain: unknown): PlacedPart {
  const { placement: placed, receipts } = (plain ?? {}) as Record<string, unknown>
  const placement = placementFromPlain(placed)
  const sizeBytes = geometryOf(placement).pieceBytes
  if (!Array.isArray(receipts) || receipts.length !== placement.pieces.length) {
    throw new BadInputError('a part whose receipts do not match its pieces')
  }
  return {
    placement,
    receipts: placement.pieces.map((piece, i) => {
      if (receipts[i] === null) return undefined
      const [expiry, signature] = Array.isArray(receipts[i]) ? receipts[i] : []
      if (!Number.isSafeInteger(expiry) || expiry < 0 || !(signature instanceof Uint8Array)) {
        throw new BadInputError('a part with a malformed receipt')
      }
      const { orderId, root, provider } = piece
      return { orderId, root, sizeBytes, expiry, provider, signature }
    }),
  }
}

function decodeRecord(bytes: Uint8Array): Record<string, unknown> {
  try {
    return (decodeCbor(bytes) ?? {}) as Record<string, unknown>
  } catch (cause) {
    throw new BadInputError('an index bundle is not dag-cbor', { cause })
  }
}
