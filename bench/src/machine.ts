import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, loadavg, totalmem, type } from 'node:os'

/** Where figures were measured. */
export type Machine = {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  readonly commit: string
  readonly date: string
  /** Work of others when the bench began: figures of a busy machine are low, ratios less so. */
  readonly loadBefore: number
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${process.arch}`,
    node: process.version,
    commit: findCommit() ?? 'none',
    date: new Date().toISOString().slice(0, 10),
    loadBefore: Math.round(loadavg()[0]! * 10) / 10,
  }
}

function findCommit(): string | undefined {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return undefined // an unpacked copy has no history
  }
}
