/** What is timed. A run does the same work each time. */
export type Candidate = {
  readonly name: string
  readonly run: () => void | Promise<void>
}

export type TurnsOptions = {
  readonly turns: number
  readonly warmUpTurns: number
  /** Runs each candidate once untimed before it is timed, where the one before has filled the caches. */
  readonly isPrimed?: boolean
  /** Processor time of this process in place of time that passed: for work that is done in one thread. */
  readonly isCpu?: boolean
  readonly signal?: AbortSignal
}

/** Times of a candidate in milliseconds, one for each turn. */
export type Times = readonly number[]

/**
 * Lets candidates take turns: the noise of a machine comes and goes over seconds, so that those which are compared
 * must have run in the same moments.
 */
export async function timeInTurns(candidates: readonly Candidate[], options: TurnsOptions): Promise<Times[]> {
  const times = candidates.map((): number[] => [])
  const now = options.isCpu ? cpuMs : () => performance.now()
  for (let turn = 0; turn < options.warmUpTurns + options.turns; turn++) {
    for (const [index, candidate] of candidates.entries()) {
      if (options.isPrimed) await candidate.run()
      const start = now()
      await candidate.run()
      const took = now() - start
      if (turn >= options.warmUpTurns) times[index]!.push(took)
    }
    // A breath, so that a caller's signals and timers are served.
    await new Promise((resolve) => setImmediate(resolve))
    options.signal?.throwIfAborted()
  }
  return times
}

/** Processor time of this process, in milliseconds: what else the machine does is not in it. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e3
}

/** The middle of the samples; of an even number the upper one. */
export function median(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[samples.length >> 1] ?? Number.NaN
}

/** How often `times` went into `baseline`, turn by turn, in the median. */
export function medianRatio(baseline: Times, times: Times): number {
  return median(times.map((ms, turn) => (baseline[turn] ?? Number.NaN) / ms))
}

/** Megabytes (10^6) per second. */
export function megabytesPerSecond(bytes: number, ms: number): number {
  return bytes / (ms * 1e3)
}
