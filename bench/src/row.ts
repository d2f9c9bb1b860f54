import type { Place } from './network/place.ts'

/** One measured figure. */
export type BenchRow = {
  /** Unique within its bench. */
  readonly name: string
  /** The median of all runs. */
  readonly value: number
  readonly unit: string
  /** The value as a multiple of the baseline's, measured in the same run: what compares across machines. */
  readonly ratio?: number
  /** What the ratio is to. */
  readonly baseline?: string
  /** Runs that the median is of. */
  readonly runs?: number
}

/** How much time a bench may spend. */
export type BenchOptions = {
  /** Fewer and smaller runs: enough to see that nothing is broken, too little for a figure to be quoted. */
  readonly isQuick: boolean
  /** Said while the bench runs, to whoever waits. */
  readonly progress: (text: string) => void
  readonly signal: AbortSignal
}

/** Measures one side of the system. */
export type Bench = (options: BenchOptions) => Promise<readonly BenchRow[]>

/** Measures a whole network, which all such benches of a run share. */
export type NetworkBench = (place: Place, options: BenchOptions) => Promise<readonly BenchRow[]>
