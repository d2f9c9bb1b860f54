import { concatBytes } from '../bytes/index.ts'
import { createCoder, type ErasurePolicy } from '../erasure/index.ts'
import { assert } from '../errors/index.ts'
import { hashUnits, type PieceDigest, rootFromUnits } from '../piece/index.ts'
import { CHUNK_BYTES, sealChunks, sealedBytesOf } from '../seal/index.ts'
import { partGeometry, STRIP_BYTES, stripeStoredBytesOf } from './geometry.ts'

/**
 * One stripe of an object, seen as one task: seal, code and hash (`spec/objects.md` 4). In and out are plain data, so
 * that the task can run in another thread.
 */
export type StripeInput = ErasurePolicy & {
  /**
   * The bytes of the stripe: `stripePlainBytesOf(k, sealed)` of them, or fewer where the object (or the part) ends.
   * Never nothing, but for the one chunk of a sealed empty object.
   */
  readonly plaintext: Uint8Array
  /** Key of the sealed stream; undefined when the bytes are stored as they are. */
  readonly contentKey: Uint8Array | undefined
  /** Number of the first chunk in its object; of no meaning without a key. */
  readonly firstChunk: number
  /** Whether the object ends here. */
  readonly endsObject: boolean
  /**
   * Memory for the strips, for instance that of a stripe that has been sent; at least
   * {@link stripeBufferBytesOf} bytes. It is overwritten. Without it new memory is taken.
   */
  readonly buffer?: Uint8Array | undefined
}

/** What {@link encodeStripe} makes. */
export type EncodedStripe = {
  /** k data strips, then m parity strips, all of `stripBytes`: views of one buffer, in a row from its start. */
  readonly strips: readonly Uint8Array[]
  /** Unit nodes of each strip (`spec/piece.md` 3). */
  readonly units: readonly Uint8Array[]
  readonly stripBytes: number
  /** Bytes that the stripe adds to its part: sealed plaintext, without the zeros that fill the last strip. */
  readonly storedBytes: number
}

/** Memory that the strips of one stripe of `k + m` need at the most. */
export function stripeBufferBytesOf({ dataShards, parityShards }: ErasurePolicy): number {
  return (dataShards + parityShards) * STRIP_BYTES
}

/**
 * Seals (with a key), codes and hashes one stripe. How its strips lie follows from its stored bytes alone, so neither
 * the object nor the part need to be known.
 *
 * @throws InvalidErasurePolicyError when no code has so many shards
 * @example
 * ```ts
 * const stripe = encodeStripe({ plaintext, contentKey, firstChunk: 0, endsObject: true, dataShards: 4, parityShards: 2 })
 * const pieces = combineUnits([stripe]) // six roots
 * ```
 */
export function encodeStripe(input: StripeInput): EncodedStripe {
  const { plaintext, contentKey, firstChunk, endsObject, dataShards, parityShards } = input
  const coder = createCoder({ dataShards, parityShards })
  const storedBytes = contentKey ? sealedLengthOf(plaintext, endsObject) : plaintext.length
  assert(storedBytes > 0 && storedBytes <= stripeStoredBytesOf(dataShards), `a stripe of ${storedBytes} bytes`)
  const stripBytes = partGeometry(storedBytes, dataShards, parityShards).pieceBytes
  const buffer = input.buffer ?? new Uint8Array(stripBytes * coder.totalShards)
  assert(buffer.length >= stripBytes * coder.totalShards, 'a stripe buffer that is too small')

  if (contentKey) sealChunks(contentKey, firstChunk, plaintext, endsObject, buffer.subarray(0, storedBytes))
  else buffer.set(plaintext, 0)
  buffer.fill(0, storedBytes, stripBytes * dataShards)
  const strips = Array.from({ length: coder.totalShards }, (_, index) =>
    buffer.subarray(index * stripBytes, (index + 1) * stripBytes),
  )
  coder.encode(strips.slice(0, dataShards), strips.slice(dataShards))
  return { strips, units: strips.map(hashUnits), stripBytes, storedBytes }
}

/** The digests of all pieces of a part from its stripes in order. */
export function combineUnits(stripes: readonly Pick<EncodedStripe, 'units' | 'stripBytes'>[]): PieceDigest[] {
  const first = stripes[0]
  assert(first, 'a part has at least one stripe')
  const sizeBytes = stripes.reduce((sum, stripe) => sum + stripe.stripBytes, 0)
  return first.units.map((_, index) => {
    const units = concatBytes(...stripes.map((stripe) => stripe.units[index]!))
    return { root: rootFromUnits(units, sizeBytes), sizeBytes, units }
  })
}

function sealedLengthOf(plaintext: Uint8Array, endsObject: boolean): number {
  assert(endsObject || (plaintext.length > 0 && plaintext.length % CHUNK_BYTES === 0), 'a stripe of whole chunks')
  return sealedBytesOf(plaintext.length)
}
