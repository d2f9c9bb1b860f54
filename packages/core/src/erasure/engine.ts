import { MemoError } from '../errors/index.ts'
import { RELAXED_KERNEL, STRICT_KERNEL } from './kernel-bytes.ts'
import type { Matrix } from './matrix.ts'
import { createScalarEngine } from './scalar-engine.ts'
import { createWasmEngine, isKernelSupported } from './wasm-engine.ts'

/**
 * How the arithmetic is done; the bytes are the same. `relaxed` and `strict` are WebAssembly SIMD with and without
 * relaxed swizzles, `scalar` is plain JavaScript.
 */
export type ErasureVariant = 'relaxed' | 'strict' | 'scalar'

/** A matrix made ready to be applied: outputs = matrix * inputs, strip by strip. */
export type MatrixProduct = {
  /** What the tables of the matrix hold in memory, in bytes. */
  readonly tableBytes: number
  /**
   * One input per column and one output per row, all of one length. Outputs are overwritten and share no memory with
   * an input.
   */
  readonly apply: (inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]) => void
}

/** The one operation of the code: everything else is choosing a matrix. */
export type Engine = {
  readonly variant: ErasureVariant
  readonly prepare: (matrix: Matrix) => MatrixProduct
  /** `count` strips of `stripBytes` zero bytes, in memory that the engine reads without copying if it has such. */
  readonly allocate: (count: number, stripBytes: number) => readonly Uint8Array[]
}

/** This runtime cannot run the variant that was asked for. */
export class ErasureVariantUnavailableError extends MemoError {
  override readonly name: string = 'ErasureVariantUnavailableError'
  constructor(variant: ErasureVariant) {
    super(`this runtime cannot run the ${variant} erasure kernel`, {
      blame: 'us',
      retry: 'never',
      fix: 'Leave the variant out: the fastest one that runs here is chosen.',
      details: { variant },
    })
  }
}

const KERNELS = { relaxed: RELAXED_KERNEL, strict: STRICT_KERNEL } as const
const FASTEST_FIRST: readonly ErasureVariant[] = ['relaxed', 'strict', 'scalar']

const engines = new Map<ErasureVariant, Engine>()

/** Whether this runtime can run a variant. Scalar always runs. */
export function isErasureVariantSupported(variant: ErasureVariant): boolean {
  return variant === 'scalar' || isKernelSupported(KERNELS[variant])
}

/** The variant that {@link getEngine} chooses by itself: the fastest that this runtime can run. */
export function fastestErasureVariant(): ErasureVariant {
  return FASTEST_FIRST.find(isErasureVariantSupported) ?? 'scalar'
}

/**
 * The engine of a variant, one per thread.
 *
 * @throws {@link ErasureVariantUnavailableError} when the variant was named and this runtime cannot run it
 */
export function getEngine(variant: ErasureVariant): Engine {
  const known = engines.get(variant)
  if (known !== undefined) return known
  if (!isErasureVariantSupported(variant)) throw new ErasureVariantUnavailableError(variant)
  const engine = variant === 'scalar' ? createScalarEngine() : createWasmEngine(variant, KERNELS[variant])
  engines.set(variant, engine)
  return engine
}
