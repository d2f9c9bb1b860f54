import { primitives } from '#primitives'
import { concatBytes, hex32, uint64be, utf8 } from '../bytes/index.ts'
import { assert } from '../errors/index.ts'
import type { Randomness } from '../ports.ts'

/** Randomness that is the same for one seed, with the draws that a simulation needs. Never for keys that matter. */
export type SeededRandomness = Randomness & {
  /** A whole number in `[0, below)`. */
  int(below: number): number
  /** True with probability `rate` (0 … 1). */
  chance(rate: number): boolean
  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T
  /** `items` in a drawn order. */
  shuffle<T>(items: readonly T[]): T[]
  /** A source of its own for one part of a simulation, so that draws there do not move draws elsewhere. */
  fork(label: string): SeededRandomness
}

const BLOCK_BYTES = 32
const UINT32 = 2 ** 32

/** SHA-256 of seed and counter, block by block. */
export function createSeededRandomness(seed: string): SeededRandomness {
  const key = primitives.sha256(utf8(`memo-simulation:${seed}`))
  let counter = 0
  let block: Uint8Array = new Uint8Array(0)
  let at = 0

  const bytes = (length: number): Uint8Array => {
    const out = new Uint8Array(length)
    for (let filled = 0; filled < length; ) {
      if (at === block.length) {
        block = primitives.sha256(concatBytes(key, uint64be(counter++)))
        at = 0
      }
      const take = Math.min(BLOCK_BYTES - at, length - filled)
      out.set(block.subarray(at, at + take), filled)
      at += take
      filled += take
    }
    return out
  }
  const unit = (): number => new DataView(bytes(4).buffer).getUint32(0) / UINT32
  const int = (below: number): number => {
    assert(Number.isSafeInteger(below) && below > 0 && below <= UINT32, `no whole number below ${below}`)
    return Math.floor(unit() * below)
  }
  return {
    bytes,
    int,
    chance: (rate) => unit() < rate,
    pick(items) {
      assert(items.length > 0, 'something to pick from')
      return items[int(items.length)]!
    },
    shuffle(items) {
      const out = [...items]
      for (let i = out.length - 1; i > 0; i--) {
        const j = int(i + 1)
        const moved = out[i]!
        out[i] = out[j]!
        out[j] = moved
      }
      return out
    },
    fork: (label) => createSeededRandomness(`${hex32(key)}:${label}`),
  }
}
