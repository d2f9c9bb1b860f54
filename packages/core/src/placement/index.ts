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
