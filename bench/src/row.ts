/** One measured number. */
export type BenchRow = {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** The value as a multiple of the baseline's, measured in the same run: what compares across machines. */
  readonly ratio?: number
  /** What the ratio is to. */
  readonly baseline?: string
}
