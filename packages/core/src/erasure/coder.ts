import { MemoError } from '../errors/index.ts'
import { type Engine, type ErasureVariant, fastestErasureVariant, getEngine, type MatrixProduct } from './engine.ts'
import { LruCache } from './lru-cache.ts'
import { cauchyMatrix, decodeMatrix, type Matrix } from './matrix.ts'
import { assertErasurePolicy, type ErasurePolicy } from './policy.ts'
import { assertNoOverlap, assertStripCount, assertStripLengths } from './strips.ts'

/** Coders kept for reuse by {@link createCoder}. */
export const MAX_CACHED_CODERS = 32

/** Patterns of loss whose matrix a coder keeps ready. */
export const MAX_CACHED_PATTERNS = 64

/** What the tables of those patterns may hold together, in bytes. */
export const MAX_CACHED_PATTERN_BYTES = 4_194_304

/** What one {@link Coder.allocate} may hold, in bytes. */
export const MAX_ALLOCATED_BYTES = 268_435_456

// Parity is recomputed and compared in windows, so that checking a stripe needs little memory.
const VERIFY_WINDOW_BYTES = 16_384

/** Fewer shards than the code needs to give anything back. More may be found elsewhere. */
export class TooFewShardsError extends MemoError {
  override readonly name: string = 'TooFewShardsError'
  constructor(needed: number, present: number) {
    super(`${needed} shards are needed and ${present} are present`, {
      blame: 'provider',
      retry: 'later',
      fix: 'Fetch further shards of the stripe from other providers.',
      details: { needed, present },
    })
  }
}

/** A shard index that the code does not have, or that was asked for twice. A bug of the caller. */
export class ShardIndexError extends MemoError {
  override readonly name: string = 'ShardIndexError'
  constructor(message: string, index: number, totalShards: number) {
    super(message, { blame: 'us', retry: 'never', details: { index, totalShards } })
  }
}

/** Strips that are too large to be allocated at once, or of no size at all, or for which the runtime has no memory. */
export class StripAllocationError extends MemoError {
  override readonly name: string = 'StripAllocationError'
  constructor(count: number, stripBytes: number, cause?: unknown) {
    super(`cannot allocate ${count} strips of ${stripBytes} bytes`, {
      blame: 'us',
      retry: cause === undefined ? 'never' : 'later',
      fix: `Keep all strips of a stripe within ${MAX_ALLOCATED_BYTES} bytes, and allocate once for many stripes.`,
      details: { count, stripBytes, maxBytes: MAX_ALLOCATED_BYTES },
      cause,
    })
  }
}

/** What {@link Coder.reconstruct} works on. */
export type Reconstruction = {
  /** Known shards by index: 0 to k - 1 are data, k to k + m - 1 parity. At least k, all of one length. */
  readonly present: ReadonlyMap<number, Uint8Array>
  /** Indexes of the shards to make, each once. */
  readonly wanted: readonly number[]
  /** One strip for each wanted shard, in its order; overwritten. */
  readonly out: readonly Uint8Array[]
}

/** A Reed-Solomon code of one policy (`spec/erasure.md`). Synchronous; not shared between threads. */
export type Coder = ErasurePolicy & {
  readonly totalShards: number
  readonly variant: ErasureVariant
  /**
   * Writes the m parity strips of k data strips (`spec/erasure.md` 2).
   *
   * @throws StripCountError, StripLengthError, StripOverlapError
   */
  readonly encode: (data: readonly Uint8Array[], parity: readonly Uint8Array[]) => void
  /**
   * Makes shards from any k others (`spec/erasure.md` 4). It uses the k present ones of lowest index; it cannot tell
   * whether their bytes are true, so they must have been checked against their piece root before.
   *
   * @throws TooFewShardsError, ShardIndexError, StripCountError, StripLengthError, StripOverlapError
   */
  readonly reconstruct: (reconstruction: Reconstruction) => void
  /**
   * Whether the parity of a whole stripe (k data strips, then m parity strips) is that of its data.
   *
   * @throws StripCountError, StripLengthError
   */
  readonly verify: (shards: readonly Uint8Array[]) => boolean
  /**
   * The k + m strips of a stripe, of `stripBytes` zero bytes each, in memory that the kernel reads without copying:
   * up to twice as fast as strips elsewhere when all strips of a call lie there. Each call takes a WebAssembly memory
   * of its own; keep the strips and use them again. They cannot be transferred to another thread.
   *
   * @throws StripAllocationError
   */
  readonly allocate: (stripBytes: number) => readonly Uint8Array[]
}

const coders = new LruCache<Coder>(MAX_CACHED_CODERS)

/**
 * The coder of a policy, on the fastest engine that this runtime has unless `variant` names one. Coders are cached.
 *
 * @throws InvalidErasurePolicyError when the counts are outside the limits
 * @throws ErasureVariantUnavailableError when the named variant cannot run here
 * @example
 * ```ts
 * const coder = createCoder({ dataShards: 4, parityShards: 2 })
 * const parity = [new Uint8Array(1_024), new Uint8Array(1_024)]
 * coder.encode(data, parity)
 * coder.reconstruct({ present: new Map([[1, b], [2, c], [3, d], [5, q]]), wanted: [0], out: [a] })
 * ```
 */
export function createCoder(options: ErasurePolicy & { readonly variant?: ErasureVariant }): Coder {
  assertErasurePolicy(options)
  const { dataShards, parityShards, variant = fastestErasureVariant() } = options
  const key = `${variant}:${dataShards}+${parityShards}`
  const cached = coders.find(key)
  if (cached !== undefined) return cached
  const coder = buildCoder({ dataShards, parityShards }, getEngine(variant))
  coders.add(key, coder)
  return coder
}

function buildCoder({ dataShards, parityShards }: ErasurePolicy, engine: Engine): Coder {
  const totalShards = dataShards + parityShards
  const matrix = cauchyMatrix(dataShards, parityShards)
  const parityProduct = engine.prepare(matrix)
  const decodeProducts = new DecodeProducts(engine, matrix)
  return {
    dataShards,
    parityShards,
    totalShards,
    variant: engine.variant,
    encode: (data, parity) => {
      assertStripCount('data', data, dataShards)
      assertStripCount('parity', parity, parityShards)
      assertStripLengths('data', data, data[0]!.length)
      assertStripLengths('parity', parity, data[0]!.length)
      assertNoOverlap(data, parity)
      parityProduct.apply(data, parity)
    },
    reconstruct: ({ present, wanted, out }) => {
      const indexes = [...present.keys()].sort((a, b) => a - b)
      assertShardIndexes(indexes, totalShards)
      assertShardIndexes(wanted, totalShards)
      if (indexes.length < dataShards) throw new TooFewShardsError(dataShards, indexes.length)
      assertStripCount('wanted', out, wanted.length)
      const inputs = indexes.map((index) => present.get(index)!)
      assertStripLengths('present', inputs, inputs[0]!.length)
      assertStripLengths('wanted', out, inputs[0]!.length)
      const used = inputs.slice(0, dataShards)
      assertNoOverlap(used, out)
      decodeProducts.get(indexes.slice(0, dataShards), wanted).apply(used, out)
    },
    verify: (shards) => {
      assertStripCount('data and parity', shards, totalShards)
      assertStripLengths('data or parity', shards, shards[0]!.length)
      return isParityTrue(parityProduct, shards.slice(0, dataShards), shards.slice(dataShards))
    },
    allocate: (stripBytes) => {
      const isPossible = Number.isSafeInteger(stripBytes) && stripBytes >= 0
      if (!isPossible || stripBytes * totalShards > MAX_ALLOCATED_BYTES) {
        throw new StripAllocationError(totalShards, stripBytes)
      }
      try {
        return engine.allocate(totalShards, stripBytes)
      } catch (cause) {
        // How every runtime says that it has no memory left for a buffer.
        if (cause instanceof RangeError) throw new StripAllocationError(totalShards, stripBytes, cause)
        throw cause
      }
    },
  }
}

/** The matrices that undo patterns of loss, the latest kept ready. */
class DecodeProducts {
  readonly #cache = new LruCache<MatrixProduct>(MAX_CACHED_PATTERNS, MAX_CACHED_PATTERN_BYTES)
  readonly #engine: Engine
  readonly #parity: Matrix

  constructor(engine: Engine, parity: Matrix) {
    this.#engine = engine
    this.#parity = parity
  }

  get(used: readonly number[], wanted: readonly number[]): MatrixProduct {
    const key = `${used.join()}|${wanted.join()}`
    const cached = this.#cache.find(key)
    if (cached !== undefined) return cached
    const product = this.#engine.prepare(decodeMatrix(this.#parity, used, wanted))
    this.#cache.add(key, product, product.tableBytes)
    return product
  }
}

function assertShardIndexes(indexes: readonly number[], totalShards: number): void {
  const seen = new Set<number>()
  for (const index of indexes) {
    if (!Number.isInteger(index) || index < 0 || index >= totalShards) {
      throw new ShardIndexError(`there is no shard ${index} among ${totalShards}`, index, totalShards)
    }
    if (seen.has(index)) throw new ShardIndexError(`shard ${index} is asked for twice`, index, totalShards)
    seen.add(index)
  }
}

function isParityTrue(product: MatrixProduct, data: readonly Uint8Array[], parity: readonly Uint8Array[]): boolean {
  const length = parity[0]!.length
  const scratch = parity.map(() => new Uint8Array(Math.min(length, VERIFY_WINDOW_BYTES)))
  for (let at = 0; at < length; at += VERIFY_WINDOW_BYTES) {
    const end = Math.min(at + VERIFY_WINDOW_BYTES, length)
    const expected = scratch.map((strip) => strip.subarray(0, end - at))
    product.apply(
      data.map((strip) => strip.subarray(at, end)),
      expected,
    )
    if (!expected.every((strip, index) => isEqual(strip, parity[index]!.subarray(at, end)))) return false
  }
  return true
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false
  }
  return true
}
