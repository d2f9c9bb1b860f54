// Dot products over GF(2^8) with nibble tables (spec/erasure.md 5). AssemblyScript; compiled twice by
// scripts/build-kernel.ts: with relaxed SIMD and without.
//
// A call makes `rows` output strips from `columns` input strips:
//
//   output[i] = coefficient[i][0] * input[0] + coefficient[i][1] * input[1] + ...
//
// - inputs, outputs: addresses of lists of u32 addresses of strips.
// - tables: for column j and row i, at tables + (j * rows + i) * 32, the 16 products of the coefficient with
//   a low nibble and then the 16 products with a high nibble.
// - length: bytes per strip, a multiple of 32 (the caller rounds up).

/** Where the caller keeps 16 bytes of 0x0f. A literal would be built anew at every use; a loaded one stays in a register. */
const NIBBLE_MASK: usize = 0

/** Bytes of one coefficient's table pair. */
const PAIR: usize = 32

// @ts-ignore: decorator
@inline
function look(table: v128, nibbles: v128): v128 {
  // No nibble is above 15, the only indexes where the relaxed instruction may differ between machines.
  if (ASC_FEATURE_RELAXED_SIMD) return i8x16.relaxed_swizzle(table, nibbles)
  return i8x16.swizzle(table, nibbles)
}

// @ts-ignore: decorator
@inline
function add(sum: v128, lowTable: v128, highTable: v128, low: v128, high: v128): v128 {
  return v128.xor(sum, v128.xor(look(lowTable, low), look(highTable, high)))
}

// @ts-ignore: decorator
@inline
function put(outputs: usize, row: usize, at: usize, first: v128, second: v128): void {
  const to = <usize>load<u32>(outputs + row * 4) + at
  v128.store(to, first)
  v128.store(to, second, 16)
}

/** `rows` is a literal at every call, so that inlining leaves only the rows that exist. */
// @ts-ignore: decorator
@inline
function dot(rows: usize, tables: usize, inputs: usize, columns: usize, outputs: usize, length: usize): void {
  const mask = v128.load(NIBBLE_MASK)
  const zero = i8x16.splat(0)
  const end = inputs + columns * 4
  for (let at: usize = 0; at < length; at += 32) {
    let a0 = zero, a1 = zero, b0 = zero, b1 = zero, c0 = zero, c1 = zero
    let d0 = zero, d1 = zero, e0 = zero, e1 = zero, f0 = zero, f1 = zero
    let table = tables
    for (let input = inputs; input < end; input += 4) {
      const from = <usize>load<u32>(input) + at
      const first = v128.load(from)
      const second = v128.load(from, 16)
      const low0 = v128.and(first, mask)
      const low1 = v128.and(second, mask)
      const high0 = v128.and(i16x8.shr_u(first, 4), mask)
      const high1 = v128.and(i16x8.shr_u(second, 4), mask)
      let lowTable = v128.load(table)
      let highTable = v128.load(table, 16)
      a0 = add(a0, lowTable, highTable, low0, high0)
      a1 = add(a1, lowTable, highTable, low1, high1)
      if (rows > 1) {
        lowTable = v128.load(table, 32)
        highTable = v128.load(table, 48)
        b0 = add(b0, lowTable, highTable, low0, high0)
        b1 = add(b1, lowTable, highTable, low1, high1)
      }
      if (rows > 2) {
        lowTable = v128.load(table, 64)
        highTable = v128.load(table, 80)
        c0 = add(c0, lowTable, highTable, low0, high0)
        c1 = add(c1, lowTable, highTable, low1, high1)
      }
      if (rows > 3) {
        lowTable = v128.load(table, 96)
        highTable = v128.load(table, 112)
        d0 = add(d0, lowTable, highTable, low0, high0)
        d1 = add(d1, lowTable, highTable, low1, high1)
      }
      if (rows > 4) {
        lowTable = v128.load(table, 128)
        highTable = v128.load(table, 144)
        e0 = add(e0, lowTable, highTable, low0, high0)
        e1 = add(e1, lowTable, highTable, low1, high1)
      }
      if (rows > 5) {
        lowTable = v128.load(table, 160)
        highTable = v128.load(table, 176)
        f0 = add(f0, lowTable, highTable, low0, high0)
        f1 = add(f1, lowTable, highTable, low1, high1)
      }
      table += rows * PAIR
    }
    put(outputs, 0, at, a0, a1)
    if (rows > 1) put(outputs, 1, at, b0, b1)
    if (rows > 2) put(outputs, 2, at, c0, c1)
    if (rows > 3) put(outputs, 3, at, d0, d1)
    if (rows > 4) put(outputs, 4, at, e0, e1)
    if (rows > 5) put(outputs, 5, at, f0, f1)
  }
}

export function dot1(tables: usize, inputs: usize, columns: usize, outputs: usize, length: usize): void {
  dot(1, tables, inputs, columns, outputs, length)
}

export function dot2(tables: usize, inputs: usize, columns: usize, outputs: usize, length: usize): void {
  dot(2, tables, inputs, columns, outputs, length)
}

export function dot3(tables: usize, inputs: usize, columns: usize, outputs: usize, length: usize): void {
  dot(3, tables, inputs, columns, outputs, length)
}

export function dot4(tables: usize, inputs: usize, columns: usize, outputs: usize, length: usize): void {
  dot(4, tables, inputs, columns, outputs, length)
}

export function dot5(tables: usize, inputs: usize, columns: usize, outputs: usize, length: usize): void {
  dot(5, tables, inputs, columns, outputs, length)
}

export function dot6(tables: usize, inputs: usize, columns: usize, outputs: usize, length: usize): void {
  dot(6, tables, inputs, columns, outputs, length)
}
