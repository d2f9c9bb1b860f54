import { assert } from '../errors/index.ts'
import { CHUNK_BYTES, SEALED_CHUNK_BYTES } from '../seal/index.ts'

/** Stored bytes of a part at the most: 1,024 sealed chunks (`spec/objects.md` 4). */
export const MAX_PART_BYTES: number = 64 * 1_048_576
/** Strip of a full stripe: 16 units, so that strips end at unit boundaries. */
export const STRIP_BYTES = 1_048_576
/** The last strip of a piece is rounded up to this. */
export const STRIP_ALIGN_BYTES = 64

/** How a part of some length lies in stripes: the same for all its pieces. */
export type PartGeometry = {
  readonly sizeBytes: number
  readonly dataShards: number
  readonly parityShards: number
  /** Full stripes, of {@link STRIP_BYTES} per strip. */
  readonly fullStripes: number
  /** Strip length of the one stripe after them; 0 when there is none. */
  readonly lastStripBytes: number
  readonly stripes: number
  readonly pieceBytes: number
}

/** The geometry of a part of `sizeBytes` (1 … {@link MAX_PART_BYTES}) under `k + m`. */
export function partGeometry(sizeBytes: number, dataShards: number, parityShards: number): PartGeometry {
  assert(sizeBytes > 0 && sizeBytes <= MAX_PART_BYTES, `a part of ${sizeBytes} bytes`)
  const stripeBytes = dataShards * STRIP_BYTES
  const fullStripes = Math.floor(sizeBytes / stripeBytes)
  const rest = sizeBytes - fullStripes * stripeBytes
  const lastStripBytes = Math.ceil(Math.ceil(rest / dataShards) / STRIP_ALIGN_BYTES) * STRIP_ALIGN_BYTES
  return {
    sizeBytes,
    dataShards,
    parityShards,
    fullStripes,
    lastStripBytes,
    stripes: fullStripes + (lastStripBytes > 0 ? 1 : 0),
    pieceBytes: fullStripes * STRIP_BYTES + lastStripBytes,
  }
}

/** Strip length of stripe `stripe`. */
export function stripBytesOf(geometry: PartGeometry, stripe: number): number {
  return stripe < geometry.fullStripes ? STRIP_BYTES : geometry.lastStripBytes
}

/** Where stripe `stripe` begins inside each piece. */
export function stripOffsetOf(stripe: number): number {
  return stripe * STRIP_BYTES
}

/** Where stripe `stripe` begins in the part's stored bytes, and how many of them it holds. */
export function stripeRangeOf(
  geometry: PartGeometry,
  stripe: number,
): { readonly offset: number; readonly length: number } {
  const stripeBytes = geometry.dataShards * STRIP_BYTES
  const offset = stripe * stripeBytes
  return { offset, length: Math.min(stripeBytes, geometry.sizeBytes - offset) }
}

/** Stored bytes of a full stripe with `dataShards` data strips (`spec/objects.md` 4). */
export function stripeStoredBytesOf(dataShards: number): number {
  return Math.min(dataShards * STRIP_BYTES, MAX_PART_BYTES)
}

/** Stored bytes of a full part: as many full stripes as fit in {@link MAX_PART_BYTES} (`spec/objects.md` 4). */
export function partStoredBytesOf(dataShards: number): number {
  const stripeBytes = stripeStoredBytesOf(dataShards)
  return Math.floor(MAX_PART_BYTES / stripeBytes) * stripeBytes
}

/** Plaintext that fills a full stripe exactly: all of it where objects are stored in clear, less the tags if sealed. */
export function stripePlainBytesOf(dataShards: number, sealed: boolean): number {
  const stored = stripeStoredBytesOf(dataShards)
  return sealed ? (stored / SEALED_CHUNK_BYTES) * CHUNK_BYTES : stored
}
