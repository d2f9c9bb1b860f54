import type { Engine, MatrixProduct } from './engine.ts'
import { FIELD_SIZE, multiply } from './field.ts'
import type { Matrix } from './matrix.ts'

// One table look-up gives the products of a byte with the coefficients of four rows, one per byte of a word.
const ROWS_PER_WORD = 4

// The sums of one tile stay in the first-level cache.
const TILE_BYTES = 4_096

/** The engine for runtimes without WebAssembly SIMD: plain JavaScript, about a tenth of the speed. */
export function createScalarEngine(): Engine {
  const sums = new Int32Array(TILE_BYTES)
  return {
    variant: 'scalar',
    prepare: (matrix) => prepare(matrix, sums),
    allocate: (count, stripBytes) => Array.from({ length: count }, () => new Uint8Array(stripBytes)),
  }
}

function prepare(matrix: Matrix, sums: Int32Array): MatrixProduct {
  const passes: Int32Array[][] = []
  for (let row = 0; row < matrix.length; row += ROWS_PER_WORD) {
    passes.push(productTables(matrix.slice(row, row + ROWS_PER_WORD)))
  }
  const columns = matrix[0]?.length ?? 0
  return {
    tableBytes: passes.length * columns * FIELD_SIZE * Int32Array.BYTES_PER_ELEMENT,
    apply: (inputs, outputs) => {
      const length = inputs[0]?.length ?? 0
      for (let at = 0; at < length; at += TILE_BYTES) {
        const end = Math.min(at + TILE_BYTES, length)
        const tileInputs = inputs.map((input) => input.subarray(at, end))
        const tileOutputs = outputs.map((output) => output.subarray(at, end))
        passes.forEach((tables, index) => {
          const firstRow = index * ROWS_PER_WORD
          applyPass(tables, tileInputs, tileOutputs.slice(firstRow, firstRow + ROWS_PER_WORD), sums)
        })
      }
    },
  }
}

// The call-backs keep the two hot loops out of one large optimised function, where V8 runs them at half the speed.
function applyPass(
  tables: readonly Int32Array[],
  inputs: readonly Uint8Array[],
  outputs: readonly Uint8Array[],
  sums: Int32Array,
): void {
  sums.fill(0)
  inputs.forEach((input, column) => {
    addProducts(sums, tables[column]!, input)
  })
  outputs.forEach((output, row) => {
    takeBytes(output, sums, 8 * row)
  })
}

/** Per column, for every byte, its products with the coefficients of up to four rows. */
function productTables(rows: Matrix): Int32Array[] {
  return Array.from(rows[0]!, (_, column) =>
    Int32Array.from({ length: FIELD_SIZE }, (_, byte) =>
      rows.reduce((word, row, index) => word | (multiply(row[column]!, byte) << (8 * index)), 0),
    ),
  )
}

// Both loops count from 0 over a view of the tile: with an offset added to the index they run at half the speed.

function addProducts(sums: Int32Array, table: Int32Array, input: Uint8Array): void {
  const length = input.length
  for (let i = 0; i < length; i++) sums[i]! ^= table[input[i]!]!
}

function takeBytes(output: Uint8Array, sums: Int32Array, shift: number): void {
  const length = output.length
  for (let i = 0; i < length; i++) output[i] = sums[i]! >>> shift
}
