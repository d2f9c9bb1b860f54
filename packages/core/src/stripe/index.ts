export { decodeStripe, rebuildStrip, type StripeStrips } from './decode.ts'
export {
  combineUnits,
  type EncodedStripe,
  encodeStripe,
  type StripeInput,
  stripeBufferBytesOf,
} from './encode.ts'
export {
  MAX_PART_BYTES,
  type PartGeometry,
  partGeometry,
  partStoredBytesOf,
  STRIP_ALIGN_BYTES,
  STRIP_BYTES,
  stripBytesOf,
  stripePlainBytesOf,
  stripeRangeOf,
  stripeStoredBytesOf,
  stripOffsetOf,
} from './geometry.ts'
