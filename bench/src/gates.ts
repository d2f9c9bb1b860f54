import type { BenchRow } from './row.ts'

/** A bound that a figure must keep; the bench fails when it does not. */
export type Gate = {
  /** Bench and row. */
  readonly row: `${string}/${string}`
  /** For the ratio to the row's baseline. */
  readonly leastRatio?: number
  /** For the figure itself, where it is a promise and not a speed. */
  readonly most?: number
  /** Machines with fewer cores cannot show it. */
  readonly leastCores?: number
  readonly why: string
}

/** All gates (`spec/performance.md` 3). Speeds are gated as ratios alone: absolute ones say more of the machine. */
export const GATES: readonly Gate[] = [
  {
    row: 'stages/cid',
    leastRatio: 0.85,
    why: 'the CID is a SHA-256 of the file; below this something copies or allocates between the leaves',
  },
  {
    row: 'stages/seal',
    leastRatio: 0.55,
    why: 'a chunk costs a cipher of its own; below this its key is prepared again for each chunk',
  },
  { row: 'stages/open', leastRatio: 0.45, why: 'as for seal, and what is opened goes into memory that is new' },
  {
    row: 'stages/piece tree',
    leastRatio: 0.5,
    why: 'the tree is the largest stage of all; its short hashes may cost no more than the bytes themselves',
  },
  {
    row: 'erasure/encode 4+2 relaxed',
    leastRatio: 0.15,
    why: 'far above any code without SIMD; below this the kernel was not chosen',
  },
  {
    row: 'erasure/encode 10+5 relaxed',
    leastRatio: 0.1,
    why: 'as for 4+2, with two and a half times the work for a byte',
  },
  {
    row: 'pipeline/one thread',
    leastRatio: 0.7,
    why: 'what is above the sum of the stages is copying and garbage between them',
  },
  {
    row: 'pipeline/pool of 2 threads',
    leastRatio: 1.2,
    leastCores: 2,
    why: 'threads that do not beat one thread cost memory for nothing',
  },
  {
    row: 'http/put',
    leastRatio: 0.25,
    why: 'half again the bytes, two hashes more, a cipher and eight processes in place of one',
  },
  {
    row: 'http/get',
    leastRatio: 0.35,
    why: 'as for put, without parity and without waiting for disks',
  },
  {
    row: 'http/put: peak memory of the gateway',
    most: 300,
    why: 'memory of a stream is bounded by its stripes, not by its length',
  },
  { row: 'memory/4 uploads', most: 300, why: 'streams share one budget of memory' },
  { row: 'memory/64 mixed streams', most: 400, why: 'streams that find no memory wait' },
]

/** How a gate ended. */
export type GateResult = {
  readonly gate: Gate
  readonly outcome: 'kept' | 'missed' | 'not measured'
  readonly measured: number | undefined
}

/** Holds rows (by bench) to all gates of the benches that ran. */
export function judge(rowsOf: ReadonlyMap<string, readonly BenchRow[]>, cores: number): GateResult[] {
  return GATES.filter(({ row }) => rowsOf.has(benchOf(row))).map((gate) => {
    const row = rowsOf.get(benchOf(gate.row))?.find(({ name }) => `${benchOf(gate.row)}/${name}` === gate.row)
    const measured = gate.leastRatio === undefined ? row?.value : row?.ratio
    if (measured === undefined || cores < (gate.leastCores ?? 1)) return { gate, outcome: 'not measured', measured }
    const isKept = measured >= (gate.leastRatio ?? Number.NEGATIVE_INFINITY) && measured <= (gate.most ?? measured)
    return { gate, outcome: isKept ? 'kept' : 'missed', measured }
  })
}

function benchOf(row: string): string {
  return row.slice(0, row.indexOf('/'))
}
