import { once } from 'node:events'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addCounts, type Counts, noCounts, oneFailed } from './counts.ts'
import { endGroup, root, startGroup, survivorsOf } from './processes.ts'
import { END_OF_REPORT, type ReportLine } from './reporter.ts'

/** How much of what a test file prints is kept, to be shown if it fails. */
const OUTPUT_LIMIT_BYTES = 64 * 1024
const REPORTER = join(import.meta.dirname, 'reporter.ts')

export type FilesOptions = {
  /** Where the files are; the root of the repository unless given. */
  directory?: string
  /** Glob patterns from there. */
  patterns: readonly string[]
  /** How many files run at the same time. */
  concurrency: number
  /** A file that runs for longer is stopped, with all that it started, and counts as failed. */
  fileTimeoutMs: number
  /** Count only, and print nothing. */
  quiet?: boolean
}

/** What a file reported, and whether it came to the end of its tests. */
type Report = { lines: readonly ReportLine[]; complete: boolean }

type Ended = { code: number | null; signal: string | null; timedOut: boolean; survivors: string[]; output: string }

/** Runs test files, each in a process of its own, and prints a line per file and failures in full. */
export async function runFiles(options: FilesOptions): Promise<Counts> {
  const directory = options.directory ?? root
  const files = globSync([...options.patterns], { cwd: directory, exclude: ['**/node_modules/**'] }).sort()
  if (files.length === 0) {
    if (!options.quiet) console.log(`no test file matches ${options.patterns.join(', ')}`)
    return oneFailed
  }
  let counts = noCounts
  const waiting = files.values()
  const worker = async (): Promise<void> => {
    for (const file of waiting) {
      const counted = await runFile(directory, file, options)
      counts = addCounts(counts, counted)
    }
  }
  await Promise.all(Array.from({ length: options.concurrency }, worker))
  return counts
}

async function runFile(directory: string, file: string, options: FilesOptions): Promise<Counts> {
  const { fileTimeoutMs: timeoutMs, quiet = false } = options
  const scratch = mkdtempSync(join(tmpdir(), 'memo-test-run-'))
  const report = join(scratch, 'report.jsonl')
  const startedMs = performance.now()
  try {
    const ended = await startFile(directory, file, report, timeoutMs)
    const reported = readReport(report)
    const { lines } = reported
    const complaints = complaintsOf(ended, reported, timeoutMs)
    const counts = countLines(lines, complaints)
    if (quiet) return counts
    printFile(file, counts, performance.now() - startedMs)
    printSkipped(lines)
    printFailures(lines, complaints, ended.output)
    return counts
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function startFile(directory: string, file: string, report: string, timeoutMs: number): Promise<Ended> {
  const args = ['--conditions=source', `--test-reporter=${REPORTER}`, `--test-reporter-destination=${report}`, file]
  const child = startGroup('node', args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString('utf8')).slice(-OUTPUT_LIMIT_BYTES)
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  return new Promise((resolve, reject) => {
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      endGroup(child)
    }, timeoutMs)
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      const closed = once(child, 'close')
      survivorsOf(child)
        .then(async (survivors) => {
          endGroup(child)
          child.stdout?.destroy()
          child.stderr?.destroy()
          await closed
          resolve({ code, signal, timedOut, survivors, output })
        })
        .catch(reject)
    })
  })
}

function readReport(report: string): Report {
  // A file that fails to load never starts its report.
  if (!existsSync(report)) return { lines: [], complete: false }
  const written = readFileSync(report, 'utf8').split('\n').slice(0, -1)
  const complete = written.at(-1) === END_OF_REPORT
  return { lines: written.slice(0, complete ? -1 : undefined).map((line) => JSON.parse(line)), complete }
}

/** What is wrong with the file as a whole, beside its failed tests. */
function complaintsOf(ended: Ended, { lines, complete }: Report, timeoutMs: number): string[] {
  const complaints: string[] = []
  const failed = lines.some((line) => line.result === 'failed')
  if (ended.timedOut) complaints.push(`stopped after ${timeoutMs / 1000} s: a test hangs, or something keeps it alive`)
  else if (ended.code !== 0 && !failed) complaints.push(`ended with ${ended.code ?? ended.signal} and no failed test`)
  else if (!lines.some((line) => !line.suite)) complaints.push('contains no test, or ended before the first')
  else if (!complete) complaints.push('ended before its tests did')
  if (ended.survivors.length > 0) complaints.push(`left running, and ended by us: ${ended.survivors.join(', ')}`)
  return complaints
}

function countLines(lines: readonly ReportLine[], complaints: readonly string[]): Counts {
  const counts = { ...noCounts, failed: complaints.length }
  for (const line of lines) {
    // A suite is no test; it counts only where it failed by itself, in a hook.
    if (!line.suite || line.failure !== undefined) counts[line.result] += 1
  }
  return counts
}

function printFile(file: string, counts: Counts, tookMs: number): void {
  const verdict = counts.failed > 0 ? 'FAIL' : 'ok  '
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''
  const failed = counts.failed > 0 ? `, ${counts.failed} failed` : ''
  console.log(`  ${verdict} ${file}  ${counts.passed} passed${failed}${skipped}  ${(tookMs / 1000).toFixed(1)} s`)
}

/** A test that did not run says why, every time. */
function printSkipped(lines: readonly ReportLine[]): void {
  const skipped = lines.filter((line) => line.result === 'skipped')
  for (const line of skipped) console.log(indent(`skipped: ${line.name}: ${line.reason ?? 'no reason given'}`))
}

function printFailures(lines: readonly ReportLine[], complaints: readonly string[], output: string): void {
  const failures = lines.filter((line) => line.failure !== undefined && line.result === 'failed')
  if (failures.length === 0 && complaints.length === 0) return
  for (const line of failures) console.log(indent(`✗ ${line.name}\n${line.failure}`))
  for (const complaint of complaints) console.log(indent(`✗ the file as a whole: ${complaint}`))
  if (output.trim() !== '') console.log(indent(`what it printed:\n${output.trimEnd()}`))
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '       ')
}
