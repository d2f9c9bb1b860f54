/** The smaller of two, which `Math.min` is for numbers only. */
export function minOf(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

/** The larger of two. */
export function maxOf(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
