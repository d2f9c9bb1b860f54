import { type Coder, createCoder, type ErasurePolicy, type ErasureVariant, isErasureVariantSupported } from '@memo/core'
import type { BenchRow } from '../row.ts'

const STRIP_BYTES = 1_048_576
const CODES: readonly ErasurePolicy[] = [
  { dataShards: 4, parityShards: 2 },
  { dataShards: 10, parityShards: 5 },
]
const VARIANTS: readonly ErasureVariant[] = ['relaxed', 'strict', 'scalar']

// The machine's noise comes and goes over seconds, so candidates take turns and the median of the turns counts.
const WARM_UP_TURNS = 3
const TURNS = 15

const BASELINE = 'Uint8Array.set of the same data strips'

type Candidate = {
  readonly name: string
  readonly run: () => void
}

/**
 * Gigabytes of data per second of erasure coding on one core, with 1 MiB strips: encoding, and rebuilding m lost data
 * strips; over strips anywhere, and over strips in the coder's own memory (`in place`).
 */
export async function benchErasure(): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const code of CODES) {
    rows.push(...benchCode(code))
    // A breath between codes, so that a caller's signals and timers are served.
    await new Promise((resolve) => setImmediate(resolve))
  }
  return rows
}

function benchCode(code: ErasurePolicy): BenchRow[] {
  const name = `${code.dataShards}+${code.parityShards}`
  const source = filledStrips(code.dataShards)
  const target = source.map((strip) => new Uint8Array(strip.length))
  const copy: Candidate = {
    name: `copy of ${code.dataShards} strips`,
    run: () => {
      for (const [index, strip] of source.entries()) target[index]!.set(strip)
    },
  }
  const coders = VARIANTS.filter(isErasureVariantSupported).map((variant) => createCoder({ ...code, variant }))
  const candidates = coders.flatMap((coder) => [
    ...codings(`${name} ${coder.variant}`, coder, spreadStrips(coder)),
    // Plain JavaScript has no memory of its own to work in.
    ...(coder.variant === 'scalar' ? [] : codings(`${name} ${coder.variant} in place`, coder, strips(coder))),
  ])
  const dataBytes = code.dataShards * STRIP_BYTES
  const [copyMs = Number.NaN, ...medians] = medianMs([copy, ...candidates])
  const gigabytesPerSecond = (ms: number): number => dataBytes / (ms * 1e6)
  return [
    { name: copy.name, value: gigabytesPerSecond(copyMs), unit: 'GB/s' },
    ...candidates.map((candidate, index) => ({
      name: candidate.name,
      value: gigabytesPerSecond(medians[index]!),
      unit: 'GB/s',
      ratio: copyMs / medians[index]!,
      baseline: BASELINE,
    })),
  ]
}

/** Encoding a stripe, and rebuilding its first m data strips from the rest into the same memory. */
function codings(name: string, coder: Coder, shards: readonly Uint8Array[]): Candidate[] {
  const data = shards.slice(0, coder.dataShards)
  const parity = shards.slice(coder.dataShards)
  const wanted = Array.from({ length: coder.parityShards }, (_, index) => index)
  const present = new Map([...shards.entries()].slice(coder.parityShards))
  const out = shards.slice(0, coder.parityShards)
  return [
    { name: `encode ${name}`, run: () => coder.encode(data, parity) },
    { name: `rebuild ${name}`, run: () => coder.reconstruct({ present, wanted, out }) },
  ]
}

function spreadStrips(coder: Coder): readonly Uint8Array[] {
  return [...filledStrips(coder.dataShards), ...filledStrips(coder.parityShards)]
}

function strips(coder: Coder): readonly Uint8Array[] {
  const shards = coder.allocate(STRIP_BYTES)
  for (const [index, strip] of filledStrips(coder.dataShards).entries()) shards[index]!.set(strip)
  return shards
}

function filledStrips(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, strip) => {
    const bytes = new Uint8Array(STRIP_BYTES)
    for (let i = 0; i < bytes.length; i++) bytes[i] = i * (2 * strip + 3) + (i >>> 8)
    return bytes
  })
}

/** The median time of each candidate, in milliseconds, over turns in which each runs once. */
function medianMs(candidates: readonly Candidate[]): number[] {
  const times = candidates.map((): number[] => [])
  for (let turn = 0; turn < WARM_UP_TURNS + TURNS; turn++) {
    for (const [index, candidate] of candidates.entries()) {
      // Untimed: the candidate before has filled the caches with strips of its own.
      candidate.run()
      const start = performance.now()
      candidate.run()
      if (turn >= WARM_UP_TURNS) times[index]!.push(performance.now() - start)
    }
  }
  return times.map((samples) => samples.sort((a, b) => a - b)[TURNS >> 1]!)
}
