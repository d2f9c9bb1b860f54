export { createPieceHasher, type PieceDigest, type PieceHasher, unitsLengthOf } from './hasher.ts'
export { isLeafProof, type LeafProof, leafPath } from './proof.ts'
export {
  HASH_BYTES,
  hashLeaves,
  hashUnits,
  LEAF_BYTES,
  leafCountOf,
  nodeCountOf,
  raiseLevels,
  reduceLevel,
  rootFromPiece,
  rootFromTop,
  rootFromUnits,
  topOf,
  UNIT_BYTES,
  UNIT_LEVEL,
} from './tree.ts'
export {
  areUnitsAt,
  areUnitsOf,
  isUnitRange,
  PieceCorruptError,
  type UnitHasher,
  unitRangeOf,
} from './verify.ts'
