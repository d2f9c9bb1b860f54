import { createCoder, TooFewShardsError } from '../erasure/index.ts'
import { assert } from '../errors/index.ts'
import { type PartGeometry, stripBytesOf, stripeRangeOf } from './geometry.ts'

/** What is known of one stripe of a part. */
export type StripeStrips = {
  readonly geometry: PartGeometry
  /** Which stripe, from 0. */
  readonly stripe: number
  /** Strips by piece, checked against their roots; any k of them are enough. */
  readonly present: ReadonlyMap<number, Uint8Array>
}

/**
 * The stored bytes of a stripe. Data strips that are there are copied, the others are decoded.
 *
 * @throws TooFewShardsError when fewer than k strips are present
 */
export function decodeStripe({ geometry, stripe, present }: StripeStrips): Uint8Array {
  const { dataShards } = geometry
  const stripBytes = checkedStripBytes({ geometry, stripe, present })
  if (present.size < dataShards) throw new TooFewShardsError(dataShards, present.size)
  const out = new Uint8Array(dataShards * stripBytes)
  const wanted: number[] = []
  for (let index = 0; index < dataShards; index++) {
    const strip = present.get(index)
    if (strip) out.set(strip, index * stripBytes)
    else wanted.push(index)
  }
  if (wanted.length > 0) {
    const targets = wanted.map((index) => out.subarray(index * stripBytes, (index + 1) * stripBytes))
    createCoder(geometry).reconstruct({ present, wanted, out: targets })
  }
  return out.subarray(0, stripeRangeOf(geometry, stripe).length)
}

/**
 * Strip `index` of a stripe, data or parity, from any k others.
 *
 * @throws TooFewShardsError when fewer than k strips are present
 */
export function rebuildStrip(
  strips: StripeStrips,
  index: number,
  out: Uint8Array = new Uint8Array(checkedStripBytes(strips)),
): Uint8Array {
  const { geometry, present } = strips
  assert(out.length === checkedStripBytes(strips), 'a strip buffer of the strip’s length')
  createCoder(geometry).reconstruct({ present, wanted: [index], out: [out] })
  return out
}

function checkedStripBytes({ geometry, stripe, present }: StripeStrips): number {
  assert(stripe >= 0 && stripe < geometry.stripes, `there is no stripe ${stripe} among ${geometry.stripes}`)
  const stripBytes = stripBytesOf(geometry, stripe)
  for (const [index, strip] of present) assert(strip.length === stripBytes, `strip ${index} has its stripe’s length`)
  return stripBytes
}
