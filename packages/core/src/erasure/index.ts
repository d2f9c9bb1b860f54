export {
  type Coder,
  createCoder,
  MAX_ALLOCATED_BYTES,
  type Reconstruction,
  ShardIndexError,
  StripAllocationError,
  TooFewShardsError,
} from './coder.ts'
export { type ErasureVariant, ErasureVariantUnavailableError, isErasureVariantSupported } from './engine.ts'
export {
  assertErasurePolicy,
  type ErasurePolicy,
  formatErasurePolicy,
  InvalidErasurePolicyError,
  MAX_TOTAL_SHARDS,
  MIN_DATA_SHARDS,
  MIN_PARITY_SHARDS,
  parseErasurePolicy,
} from './policy.ts'
export { StripCountError, StripLengthError, StripOverlapError } from './strips.ts'
