import { readFileSync, writeFileSync } from 'node:fs'

/** Ticks of the kernel's process accounting on every Linux of today. */
const TICKS_PER_SECOND = 100
/** What tells the kernel to forget the peak. */
const RESET_PEAK = '5'

/** CPU seconds that a process has used, in user and kernel. */
export function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

export function cpuSecondsOfAll(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0)
}

/** The most memory that a process held since {@link forgetPeak}, in MiB (`VmHWM`). */
export function peakMiBOf(pid: number): number {
  const [, kib = ''] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) / 1_024
}

export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, RESET_PEAK)
}
