import { assert } from '../errors/index.ts'
import { inverse, multiply } from './field.ts'

/** Rows of coefficients, all of one length. */
export type Matrix = readonly Uint8Array[]

/**
 * The parity rows of the code: row i, column j is `1 / ((k + i) ^ j)`, byte for byte what ISA-L's
 * `gf_gen_cauchy1_matrix` puts below the identity (`spec/erasure.md` 2).
 */
export function cauchyMatrix(dataShards: number, parityShards: number): Matrix {
  return Array.from({ length: parityShards }, (_, row) =>
    Uint8Array.from({ length: dataShards }, (_, column) => inverse((dataShards + row) ^ column)),
  )
}

/** The inverse of a square matrix, by Gauss-Jordan elimination. Our matrices are never singular. */
export function invertMatrix(matrix: Matrix): Matrix {
  const size = matrix.length
  const rows = matrix.map((row, index) => {
    const wide = new Uint8Array(2 * size)
    wide.set(row)
    wide[size + index] = 1
    return wide
  })
  for (let column = 0; column < size; column++) {
    const pivot = rows.findIndex((row, index) => index >= column && row[column] !== 0)
    assert(pivot !== -1, 'a singular matrix in an erasure code')
    const row = rows[pivot]!
    rows[pivot] = rows[column]!
    rows[column] = row
    addMultiple(row, row, inverse(row[column]!) ^ 1)
    for (const other of rows) {
      if (other !== row) addMultiple(other, row, other[column]!)
    }
  }
  return rows.map((row) => row.slice(size))
}

/**
 * What makes the `wanted` shards from the `used` ones: row i, column j is the coefficient of shard `used[j]` in
 * shard `wanted[i]` (`spec/erasure.md` 4).
 *
 * @param parity - the code's {@link cauchyMatrix}
 * @param used - k distinct shard indexes, ascending
 * @param wanted - shard indexes
 */
export function decodeMatrix(parity: Matrix, used: readonly number[], wanted: readonly number[]): Matrix {
  const dataShards = used.length
  const rowsOfLost = lostRows(parity, used)
  const columnOf = new Map(used.map((shard, column) => [shard, column]))
  const dataRow = (shard: number): Uint8Array => {
    const lost = rowsOfLost.get(shard)
    if (lost !== undefined) return lost
    const unit = new Uint8Array(dataShards)
    unit[columnOf.get(shard)!] = 1
    return unit
  }
  return wanted.map((shard) => {
    if (shard < dataShards) return dataRow(shard)
    const row = new Uint8Array(dataShards)
    for (const [column, coefficient] of parity[shard - dataShards]!.entries()) {
      addMultiple(row, dataRow(column), coefficient)
    }
    return row
  })
}

/**
 * For each data shard that is not used, its row over the used shards. Only a system as large as the loss is solved:
 * with data D = (present P, lost L) and the used parity rows split likewise into A and B, Q = A P + B L gives
 * L = B^-1 (Q + A P).
 */
function lostRows(parity: Matrix, used: readonly number[]): Map<number, Uint8Array> {
  const dataShards = used.length
  const present = new Set(used)
  const lost = Array.from({ length: dataShards }, (_, shard) => shard).filter((shard) => !present.has(shard))
  const parityUsed = used.filter((shard) => shard >= dataShards).map((shard) => parity[shard - dataShards]!)
  const solved = invertMatrix(parityUsed.map((row) => Uint8Array.from(lost, (shard) => row[shard]!)))
  const firstParity = dataShards - parityUsed.length
  const rows = solved.map((weights) => {
    const row = new Uint8Array(dataShards)
    row.set(weights, firstParity)
    for (let column = 0; column < firstParity; column++) {
      for (const [index, weight] of weights.entries()) {
        row[column]! ^= multiply(weight, parityUsed[index]![used[column]!]!)
      }
    }
    return row
  })
  return new Map(lost.map((shard, index) => [shard, rows[index]!]))
}

/** target += factor * source */
function addMultiple(target: Uint8Array, source: Uint8Array, factor: number): void {
  if (factor === 0) return
  for (let i = 0; i < target.length; i++) target[i]! ^= multiply(factor, source[i]!)
}
