import { equalBytes } from '../bytes/index.ts'
import { MemoError } from '../errors/index.ts'
import { unitsLengthOf } from './hasher.ts'
import { HASH_BYTES, hashUnits, rootFromUnits, UNIT_BYTES } from './tree.ts'

/** Bytes that a provider gave are not those of the piece it named. */
export class PieceCorruptError extends MemoError {
  override readonly name: string = 'PieceCorruptError'
  constructor(message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message, { blame: 'provider', retry: 'now', details, fix: 'Read the piece from another provider.' })
  }
}

/** Whether `units` are the unit nodes of the piece `root` of `sizeBytes`. */
export function areUnitsOf(root: Uint8Array, sizeBytes: number, units: Uint8Array): boolean {
  return units.length === unitsLengthOf(sizeBytes) && equalBytes(rootFromUnits(units, sizeBytes), root)
}

/** The smallest stretch of whole units that covers `[offset, offset + length)` of a piece of `sizeBytes`. */
export function unitRangeOf(
  sizeBytes: number,
  offset: number,
  length: number,
): { readonly offset: number; readonly length: number } {
  const start = Math.floor(offset / UNIT_BYTES) * UNIT_BYTES
  const end = Math.min(sizeBytes, Math.ceil((offset + length) / UNIT_BYTES) * UNIT_BYTES)
  return { offset: start, length: end - start }
}

/**
 * {@link hashUnits}, done wherever there is time: the memory of `data` may be moved there and must not be used by
 * anybody else; the `data` of the result is that memory.
 */
export type UnitHasher = (data: Uint8Array) => Promise<{ readonly units: Uint8Array; readonly data: Uint8Array }>

/** Whether `data`, whole units from `offset` (a multiple of {@link UNIT_BYTES}), belongs under verified `units`. */
export function isUnitRange(units: Uint8Array, offset: number, data: Uint8Array): boolean {
  return areUnitsAt(units, offset, hashUnits(data))
}

/** Whether `nodes`, those of whole units from `offset`, are the ones that verified `units` have there. */
export function areUnitsAt(units: Uint8Array, offset: number, nodes: Uint8Array): boolean {
  const start = (offset / UNIT_BYTES) * HASH_BYTES
  return equalBytes(nodes, units.subarray(start, start + nodes.length))
}
