import type { Randomness } from '@memo/core'

/** `items` in an order drawn from `random` (Fisher–Yates). */
export function shuffled<T>(items: readonly T[], random: Randomness): T[] {
  const out = [...items]
  if (out.length < 2) return out
  const drawn = new DataView(random.bytes(4 * out.length).slice().buffer)
  for (let i = out.length - 1; i > 0; i--) {
    const j = drawn.getUint32(4 * i) % (i + 1)
    const moved = out[i]!
    out[i] = out[j]!
    out[j] = moved
  }
  return out
}
