export {
  MAX_PART_BYTES,
  type PartGeometry,
  partGeometry,
  STRIP_ALIGN_BYTES,
  STRIP_BYTES,
  stripBytesOf,
  stripeRangeOf,
  stripOffsetOf,
} from './geometry.ts'
export {
  decodePlacement,
  encodePlacement,
  geometryOf,
  isSamePart,
  type PlacedPiece,
  type Placement,
  partIdOf,
  partKey,
  placementFromPlain,
  placementToPlain,
} from './placement.ts'
