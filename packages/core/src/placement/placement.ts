import { primitives } from '#primitives'
import {
  type Address,
  concatBytes,
  decodeCbor,
  encodeCbor,
  equalBytes,
  findBytesFromHex,
  hex32,
  hexFromBytes,
  isCount,
  isTime,
  utf8,
} from '../bytes/index.ts'
import { MAX_TOTAL_SHARDS, MIN_PARITY_SHARDS } from '../erasure/index.ts'
import { BadInputError } from '../errors/index.ts'
import { HASH_BYTES } from '../piece/index.ts'
import { MAX_PART_BYTES, type PartGeometry, partGeometry } from '../stripe/index.ts'

/** One piece of a part: which, and who holds it. Piece i carries strip i of every stripe. */
export type PlacedPiece = {
  readonly root: Uint8Array
  readonly provider: Address
  /** The order that pays for it; 0 = none yet. */
  readonly orderId: number
}

/** Where the pieces of a part are: public, kept by keepers (`spec/objects.md` 6). */
export type Placement = {
  readonly partId: Uint8Array
  readonly dataShards: number
  readonly parityShards: number
  readonly sizeBytes: number
  readonly pieces: readonly PlacedPiece[]
  readonly owner: string
  /** Unix seconds until which providers agreed to hold the pieces. */
  readonly expiry: number
}

const MAX_OWNER_CHARS = 256
const PART_DOMAIN = utf8('memo-part-v1')

/** The part's id: what it is made of, not where it lies, so that repair does not change it. */
export function partIdOf(
  part: Pick<Placement, 'dataShards' | 'parityShards' | 'sizeBytes'>,
  roots: readonly Uint8Array[],
): Uint8Array {
  const body = encodeCbor([part.dataShards, part.parityShards, part.sizeBytes, roots])
  return primitives.sha256(concatBytes(PART_DOMAIN, body))
}

/** The geometry of a placed part. */
export function geometryOf(placement: Placement): PartGeometry {
  return partGeometry(placement.sizeBytes, placement.dataShards, placement.parityShards)
}

/** dag-cbor of a placement. */
export function encodePlacement(placement: Placement): Uint8Array {
  return encodeCbor(placementToPlain(placement))
}

/** The IPLD form that stands inside other records. */
export function placementToPlain(placement: Placement): unknown {
  return {
    v: 1,
    k: placement.dataShards,
    m: placement.parityShards,
    size: placement.sizeBytes,
    pieces: placement.pieces.map((piece) => [piece.root, findBytesFromHex(piece.provider, 20), piece.orderId]),
    owner: placement.owner,
    expiry: placement.expiry,
  }
}

/** Parses {@link encodePlacement}; the part id is recomputed, never believed. Errors: {@link BadInputError}. */
export function decodePlacement(bytes: Uint8Array): Placement {
  let plain: unknown
  try {
    plain = decodeCbor(bytes)
  } catch (cause) {
    throw new BadInputError('a placement is not dag-cbor', { cause })
  }
  return placementFromPlain(plain)
}

/** Parses the form of {@link placementToPlain}. Errors: {@link BadInputError}. */
export function placementFromPlain(plain: unknown): Placement {
  const { v, k, m, size, pieces, owner, expiry } = (plain ?? {}) as Record<string, unknown>
  if (v !== 1) throw new BadInputError('a placement of an unknown version')
  if (
    !isCount(k, 1, MAX_TOTAL_SHARDS) ||
    !isCount(m, MIN_PARITY_SHARDS, MAX_TOTAL_SHARDS) ||
    k + m > MAX_TOTAL_SHARDS
  ) {
    throw new BadInputError('a placement with an impossible k + m')
  }
  if (!isCount(size, 1, MAX_PART_BYTES)) throw new BadInputError('a placement with an impossible size')
  if (typeof owner !== 'string' || owner.length > MAX_OWNER_CHARS || !isTime(expiry)) {
    throw new BadInputError('a placement without owner or expiry')
  }
  if (!Array.isArray(pieces) || pieces.length !== k + m) throw new BadInputError('a placement lacks pieces')
  const placed = pieces.map(pieceFromPlain)
  const head = { dataShards: k, parityShards: m, sizeBytes: size }
  const partId = partIdOf(
    head,
    placed.map((piece) => piece.root),
  )
  return { ...head, partId, pieces: placed, owner, expiry }
}

/** Whether two placements speak of the same part. */
export function isSamePart(a: Placement, b: Placement): boolean {
  return equalBytes(a.partId, b.partId)
}

/** The part id as it stands in paths. */
export function partKey(placement: Placement): string {
  return hex32(placement.partId)
}

function pieceFromPlain(plain: unknown): PlacedPiece {
  const [root, provider, orderId] = Array.isArray(plain) ? plain : []
  const isPiece =
    root instanceof Uint8Array &&
    root.length === HASH_BYTES &&
    provider instanceof Uint8Array &&
    provider.length === 20 &&
    isCount(orderId)
  if (!isPiece) throw new BadInputError('a placement with a malformed piece')
  return { root, provider: hexFromBytes(provider), orderId }
}
