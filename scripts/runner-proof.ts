/**
 * Proves that the test run counts what it must. Files that pass, fail, crash, hang, forget a process or contain
 * nothing are run side by side, and each must be counted as what it is.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Counts, formatCounts } from './test/counts.ts'
import { runFiles } from './test/files.ts'
import { endGroupsOnExit } from './test/processes.ts'

const FILE_TIMEOUT_MS = 3_000
const CONCURRENCY = 2

/** A test file and what it must count as. */
type Case = { claim: string; text: string; counts: Counts }

const cases: Readonly<Record<string, Case>> = {
  'pass.test.ts': {
    claim: 'tests in suites and in tests count, suites do not, and a skipped test counts apart',
    text: `describe('suite', () => {
  test('plain', () => {})
  test('outer', async (t) => { await t.test('inner', () => {}) })
  test('skipped', { skip: 'no such device' }, () => {})
})`,
    counts: { passed: 3, failed: 0, skipped: 1 },
  },
  'fail.test.ts': {
    claim: 'a failed test counts once and its neighbour still runs',
    text: `describe('suite', () => { test('bad', () => { throw new TypeError('bad') }); test('good', () => {}) })`,
    counts: { passed: 1, failed: 1, skipped: 0 },
  },
  'hook.test.ts': {
    claim: 'a hook that fails is counted',
    text: `describe('suite', () => { after(() => { throw new TypeError('hook') }); test('good', () => {}) })`,
    counts: { passed: 1, failed: 1, skipped: 0 },
  },
  'crash.test.ts': {
    claim: 'a file that cannot be loaded fails',
    text: `throw new TypeError('crash')`,
    counts: { passed: 0, failed: 1, skipped: 0 },
  },
  'empty.test.ts': {
    claim: 'a file without a test fails',
    text: '',
    counts: { passed: 0, failed: 1, skipped: 0 },
  },
  'late.test.ts': {
    claim: 'an error after the last test fails the file',
    text: `test('early', () => { setTimeout(() => { throw new TypeError('late') }, 50) })`,
    counts: { passed: 1, failed: 1, skipped: 0 },
  },
  'hang.test.ts': {
    claim: 'a file that does not end is stopped and fails',
    text: `test('opens', () => { setInterval(() => {}, 1000) })`,
    counts: { passed: 1, failed: 1, skipped: 0 },
  },
  'exit.test.ts': {
    claim: 'a file that ends before its tests do fails, whatever its exit code',
    text: `test('first', () => {})
test('leaves', () => new Promise(() => setTimeout(() => process.exit(0), 50)))
test('lost', () => {})`,
    counts: { passed: 1, failed: 1, skipped: 0 },
  },
  'orphan.test.ts': {
    claim: 'a forgotten process is found and ended',
    text: `test('forgets', () => { spawn('sleep', ['60'], { stdio: 'inherit' }).unref() })`,
    counts: { passed: 1, failed: process.platform === 'linux' ? 1 : 0, skipped: 0 },
  },
}

const PREAMBLE = `import { after, describe, test } from 'node:test'\nimport { spawn } from 'node:child_process'\n`

async function main(): Promise<number> {
  endGroupsOnExit()
  const directory = mkdtempSync(join(tmpdir(), 'memo-runner-'))
  try {
    for (const [file, { text }] of Object.entries(cases)) {
      mkdirSync(dirname(join(directory, 'one', file)), { recursive: true })
      writeFileSync(join(directory, 'one', file), PREAMBLE + text)
    }
    return await prove(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function prove(directory: string): Promise<number> {
  const complaints: string[] = []
  const run = (pattern: string): Promise<Counts> =>
    runFiles({ directory, patterns: [pattern], concurrency: CONCURRENCY, fileTimeoutMs: FILE_TIMEOUT_MS, quiet: true })
  const expect = (claim: string, counted: Counts, expected: Counts): void => {
    const [is, must] = [formatCounts(counted), formatCounts(expected)]
    if (is !== must) complaints.push(`${claim}: counted ${is}, must be ${must}`)
  }
  const total = { passed: 0, failed: 0, skipped: 0 }
  for (const [file, { claim, counts }] of Object.entries(cases)) {
    expect(claim, await run(`one/${file}`), counts)
    for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += counts[key]
  }
  expect('files that run side by side all count', await run('one/*.test.ts'), total)
  expect('no file at all is a failure', await run('none/*.test.ts'), { passed: 0, failed: 1, skipped: 0 })
  for (const complaint of complaints) console.log(complaint)
  console.log(`runner proof: ${Object.keys(cases).length} files, ${complaints.length} complaints`)
  return complaints.length === 0 ? 0 : 1
}

process.exitCode = await main()
