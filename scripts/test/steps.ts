import { ownScript, runCommand } from './command.ts'
import type { Counts } from './counts.ts'
import { runFiles } from './files.ts'

const UNIT_CONCURRENCY = 2
/** Guards against what hangs; a busy machine takes three times as long as an idle one. */
const UNIT_FILE_TIMEOUT_MS = 600_000
/** Whole-network tests start many processes; side by side they would measure each other. */
const E2E_CONCURRENCY = 1
const E2E_FILE_TIMEOUT_MS = 900_000

/** What `--only` selects. */
export type Topic = 'lint' | 'types' | 'contracts' | 'unit' | 'e2e'
export const topics: readonly Topic[] = ['lint', 'types', 'contracts', 'unit', 'e2e']

export type Step = { topic: Topic; title: string; run: () => Promise<Counts> }

/** All that `npm test` does, in order: what is quick and points at a line comes first. */
export const steps: readonly Step[] = [
  {
    topic: 'lint',
    title: 'format, lint and import layers (biome)',
    run: () => runCommand({ program: 'biome', args: ['check', '--diagnostic-level=warn', '--error-on-warnings', '.'] }),
  },
  {
    topic: 'types',
    title: 'types (tsc)',
    run: () => runCommand({ program: 'tsc', args: ['-p', 'tsconfig.json'] }),
  },
  { topic: 'lint', title: 'house rules (tidy)', run: () => runCommand(ownScript('scripts/tidy.ts')) },
  {
    topic: 'lint',
    title: 'the rules fire when they are broken (layers proof)',
    run: () => runCommand(ownScript('scripts/layers-proof.ts')),
  },
  {
    topic: 'lint',
    title: 'no failed test goes uncounted (runner proof)',
    run: () => runCommand(ownScript('scripts/runner-proof.ts')),
  },
  {
    topic: 'lint',
    title: 'the lock file installs everywhere',
    run: () => runCommand(ownScript('scripts/complete-lock.ts', '--check')),
  },
  {
    topic: 'lint',
    title: 'licences, install scripts, secrets and known holes (audit)',
    run: () => runCommand(ownScript('scripts/audit.ts')),
  },
  {
    topic: 'lint',
    title: 'nothing unused (knip)',
    run: () => runCommand({ program: 'knip', args: ['--no-progress', '--no-config-hints'] }),
  },
  {
    topic: 'contracts',
    title: 'contract artifacts reproduce',
    run: () => runCommand(ownScript('packages/contracts/scripts/build.ts', '--check')),
  },
  {
    topic: 'contracts',
    title: 'contract tests (forge)',
    run: () => runCommand(ownScript('packages/contracts/scripts/test.ts')),
  },
  {
    topic: 'unit',
    title: 'erasure kernel reproduces',
    run: () => runCommand(ownScript('packages/core/scripts/build-kernel.ts', '--check')),
  },
  {
    topic: 'unit',
    title: 'packages',
    run: () =>
      runFiles({
        patterns: ['packages/*/test/**/*.test.ts'],
        concurrency: UNIT_CONCURRENCY,
        fileTimeoutMs: UNIT_FILE_TIMEOUT_MS,
      }),
  },
  {
    topic: 'e2e',
    title: 'whole network (e2e)',
    run: () =>
      runFiles({
        patterns: ['e2e/**/*.test.ts'],
        concurrency: E2E_CONCURRENCY,
        fileTimeoutMs: E2E_FILE_TIMEOUT_MS,
      }),
  },
]
