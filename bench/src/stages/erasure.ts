import { type Coder, createCoder, type ErasurePolicy, type ErasureVariant, isErasureVariantSupported } from '@memo/core'
import type { Bench, BenchOptions, BenchRow } from '../row.ts'
import { type Candidate, median, medianRatio, megabytesPerSecond, timeInTurns } from '../turns.ts'
import { testBytes } from './bytes.ts'

const STRIP_BYTES = 1_048_576
const CODES: readonly ErasurePolicy[] = [
  { dataShards: 4, parityShards: 2 },
  { dataShards: 10, parityShards: 5 },
]
const VARIANTS: readonly ErasureVariant[] = ['relaxed', 'strict', 'scalar']

const BASELINE = 'Uint8Array.set of the same data strips'

/**
 * Megabytes of data per second of erasure coding on one core, with 1 MiB strips: encoding, and rebuilding m lost data
 * strips; over strips anywhere, and over strips in the coder's own memory (`in place`).
 */
export const benchErasure: Bench = async (options) => {
  const rows: BenchRow[] = []
  for (const code of CODES) rows.push(...(await benchCode(code, options)))
  return rows
}

async function benchCode(code: ErasurePolicy, { isQuick, signal }: BenchOptions): Promise<BenchRow[]> {
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
  const turns = isQuick ? 7 : 15
  const options = { turns, warmUpTurns: 3, isPrimed: true, signal }
  const [copyTimes = [], ...times] = await timeInTurns([copy, ...candidates], options)
  const dataBytes = code.dataShards * STRIP_BYTES
  return [
    { name: copy.name, value: megabytesPerSecond(dataBytes, median(copyTimes)), unit: 'MB/s', runs: turns },
    ...candidates.map((candidate, index) => ({
      name: candidate.name,
      value: megabytesPerSecond(dataBytes, median(times[index]!)),
      unit: 'MB/s',
      ratio: medianRatio(copyTimes, times[index]!),
      baseline: BASELINE,
      runs: turns,
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
  return Array.from({ length: count }, (_, strip) => testBytes(STRIP_BYTES, strip))
}
