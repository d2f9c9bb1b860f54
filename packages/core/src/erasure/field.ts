/** GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 and the generator 2 (`spec/erasure.md` 1). */

/** The field's polynomial. */
export const POLYNOMIAL = 0x11d

/** How many elements the field has. */
export const FIELD_SIZE = 256

const ORDER = FIELD_SIZE - 1

/** `EXP[i]` is 2 to the power i, written out twice so that a sum of two logarithms needs no reduction. */
const EXP: Uint8Array = new Uint8Array(2 * ORDER)
const LOG: Uint8Array = new Uint8Array(FIELD_SIZE)

let power = 1
for (let exponent = 0; exponent < ORDER; exponent++) {
  EXP[exponent] = power
  EXP[exponent + ORDER] = power
  LOG[power] = exponent
  power <<= 1
  if (power >= FIELD_SIZE) power ^= POLYNOMIAL
}

/** The product of two field elements (0 to 255). The sum is `a ^ b`. */
export function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : EXP[LOG[a]! + LOG[b]!]!
}

/** The element whose product with `a` is 1. `a` is never 0: that is the caller's to know. */
export function inverse(a: number): number {
  return EXP[ORDER - LOG[a]!]!
}
