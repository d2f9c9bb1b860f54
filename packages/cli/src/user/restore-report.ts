import type { RestoreReport } from '@memo/sdk'

/** Where a restore took the index from, for people, and as it stands in JSON. */
export type Told = { readonly lines: readonly string[]; readonly json: Readonly<Record<string, unknown>> }

/** What is said before the first file. */
export function tellSource(report: RestoreReport): Told {
  const { source, strangers, doubtful, faults } = report
  const lines = [
    ...(source === 'checkpoints' ? ['no keeper was asked or answers: the chain says what there was'] : []),
    ...report.logs.map(({ writer, seq, time }) => {
      const what = `entry ${seq} of the log of ${writer}`
      return source === 'keepers' ? `  no keeper shows ${what}: the chain does` : `  up to ${isoTime(time)}: ${what}`
    }),
    ...faults.map(({ writer, message }) => `  unreadable: the log of ${writer} (${message})`),
    ...doubtful.map((writer) => `  doubtful: ${writer} shows a login that another writer shows too`),
    ...(strangers.length > 0 ? [`  left out: ${strangers.length} logs of writers whom this DID does not know`] : []),
  ]
  return { lines, json: { event: 'source', source, logs: logsOf(report), strangers, doubtful, faults } }
}

/** What is said after the last file: what could not be known. */
export function tellUnknown(report: RestoreReport | undefined): Told {
  if (report?.source !== 'checkpoints') return { lines: [], json: { source: 'keepers' } }
  const { logs, faults } = report
  const until = isoTime(Math.min(...logs.map(({ time }) => time)))
  const lines = [
    `files that were stored or deleted after ${until} may be missing, or be here still; keepers know of them, once one answers`,
    ...(faults.length > 0 ? [`files in ${faults.length} unreadable logs are missing`] : []),
  ]
  return { lines, json: { source: 'checkpoints', upTo: logsOf(report), unreadable: faults.length } }
}

function logsOf({ logs }: RestoreReport) {
  return logs.map(({ writer, seq, time, blockNumber }) => ({ writer, seq, time: isoTime(time), block: blockNumber }))
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1_000).toISOString()
}
