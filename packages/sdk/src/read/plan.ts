import {
  BadInputError,
  CHUNK_BYTES,
  type Manifest,
  type PartGeometry,
  SEALED_CHUNK_BYTES,
  sealedBytesOf,
  stripBytesOf,
  stripeRangeOf,
} from '@memo/core'

/** A stretch of bytes. */
export type Range = { readonly offset: number; readonly length: number }

/** What must be read of an object's stored bytes to get a stretch of its plaintext. */
export type ObjectPlan = {
  /** In the object's stored bytes; whole chunks where it is sealed. */
  readonly stored: Range
  /** Number of the first chunk in `stored`. */
  readonly firstChunk: number
  /** Plaintext bytes before the wanted ones. */
  readonly skip: number
  /** Wanted plaintext bytes. */
  readonly length: number
  /** Whether `stored` ends with the object. */
  readonly endsObject: boolean
}

/** A stretch of one part. */
export type PartSlice = Range & { readonly partId: Uint8Array }

/** A stretch of the strip of one data piece. */
export type StripSlice = { readonly piece: number; readonly from: number; readonly to: number }

/** What to read of one stripe, in order. */
export type StripePlan = { readonly stripe: number; readonly slices: readonly StripSlice[] }

/**
 * Plans a read of `length` bytes from `offset`; both are cut to what is there (`spec/sdk.md` 9). Errors: BadInputError
 * when the manifest contradicts itself, or the range is no range.
 */
export function planObject(manifest: Manifest, range: Partial<Range>): ObjectPlan {
  const { sizeBytes, parts, contentKey } = manifest
  const { offset = 0, length = Number.MAX_SAFE_INTEGER } = range
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw new BadInputError(`there is no range of ${length} bytes from ${offset}`)
  }
  const storedBytes = parts.reduce((sum, part) => sum + part.length, 0)
  const expected = contentKey ? sealedBytesOf(sizeBytes) : sizeBytes
  if (storedBytes !== expected) {
    throw new BadInputError(`the manifest says ${sizeBytes} bytes, but its parts hold ${storedBytes}, not ${expected}`)
  }
  const from = Math.min(offset, sizeBytes)
  const to = Math.min(sizeBytes, from + length)
  if (!contentKey) {
    const stored = { offset: from, length: to - from }
    return { stored, firstChunk: 0, skip: 0, length: to - from, endsObject: to === sizeBytes }
  }
  const isWhole = from === 0 && to === sizeBytes // also of an empty object, whose one chunk is opened to prove it
  if (from === to && !isWhole) {
    return { stored: { offset: 0, length: 0 }, firstChunk: 0, skip: 0, length: 0, endsObject: false }
  }
  const firstChunk = Math.floor(from / CHUNK_BYTES)
  const start = firstChunk * SEALED_CHUNK_BYTES
  const end = Math.min(storedBytes, Math.max(1, Math.ceil(to / CHUNK_BYTES)) * SEALED_CHUNK_BYTES)
  return {
    stored: { offset: start, length: end - start },
    firstChunk,
    skip: from - firstChunk * CHUNK_BYTES,
    length: to - from,
    endsObject: end === storedBytes,
  }
}

/** The stretches of parts under a stretch of an object's stored bytes. */
export function planParts(manifest: Manifest, stored: Range): PartSlice[] {
  const slices: PartSlice[] = []
  const end = stored.offset + stored.length
  let at = 0
  for (const part of manifest.parts) {
    const from = Math.max(stored.offset, at)
    const to = Math.min(end, at + part.length)
    if (to > from) slices.push({ partId: part.partId, offset: part.offset + from - at, length: to - from })
    at += part.length
  }
  return slices
}

/** The stripes under a stretch of a part, and which data strips hold it. */
export function planStripes(geometry: PartGeometry, range: Range): StripePlan[] {
  const plans: StripePlan[] = []
  const end = range.offset + range.length
  if (end > geometry.sizeBytes) throw new BadInputError('the manifest names more bytes of a part than it has')
  for (let stripe = 0; stripe < geometry.stripes; stripe++) {
    const { offset, length } = stripeRangeOf(geometry, stripe)
    const from = Math.max(range.offset, offset) - offset
    const to = Math.min(end, offset + length) - offset
    if (to > from) plans.push({ stripe, slices: slicesOf(stripBytesOf(geometry, stripe), from, to) })
  }
  return plans
}

function slicesOf(stripBytes: number, from: number, to: number): StripSlice[] {
  const slices: StripSlice[] = []
  for (let piece = Math.floor(from / stripBytes); piece * stripBytes < to; piece++) {
    const start = piece * stripBytes
    slices.push({ piece, from: Math.max(from - start, 0), to: Math.min(to - start, stripBytes) })
  }
  return slices
}

/** The smallest stretch of a strip that covers all `slices`. */
export function hullOf(slices: readonly StripSlice[]): { readonly from: number; readonly to: number } {
  return {
    from: Math.min(...slices.map((slice) => slice.from)),
    to: Math.max(...slices.map((slice) => slice.to)),
  }
}
