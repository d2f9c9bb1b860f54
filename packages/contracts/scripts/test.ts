/**
 * Runs the Solidity tests with the forge that npm installs and ends with one summary: behaviour on quickly compiled code,
 * then gas at worst-case state on what is deployed. Where npm has no forge for the platform it says so and reports no tests.
 *
 *     node scripts/test.ts [--gas | --behaviour]
 *
 * With MEMO_LONG=1 each invariant meets a million calls instead of ten thousand. Gas must be what
 * src/generated/worst-case.json says; with MEMO_GAS=write it is written anew.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { packageRoot } from './compile.ts'

/** Times the depth of foundry.toml, 160, a million calls. */
const LONG_INVARIANT_RUNS = '6250'

/** In the long run sums are looked at after so many calls, and at the end: one that is wrong stays wrong. */
const LONG_CHECK_INTERVAL = '16'

/** Gas alone is a matter of compiler settings. */
const GAS_TESTS = 'test/solidity/*Gas.t.sol'

/** Written by forge in each run. Its own check of snapshots passes whatever they say, so that they are compared here. */
const gasFile = join(packageRoot, 'src', 'generated', 'worst-case.json')

type Run = { readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> }

const behaviour: Run = {
  args: ['--no-match-path', GAS_TESTS],
  env: {
    FOUNDRY_PROFILE: 'fast',
    ...(process.env.MEMO_LONG === '1' && {
      FOUNDRY_INVARIANT_RUNS: LONG_INVARIANT_RUNS,
      FOUNDRY_INVARIANT_CHECK_INTERVAL: LONG_CHECK_INTERVAL,
    }),
  },
}

const gas: Run = {
  args: ['--match-path', GAS_TESTS],
  env: {},
}

const binaries = join(packageRoot, '..', '..', 'node_modules', '.bin')

function main(): number {
  const forge = [join(binaries, 'forge'), join(binaries, 'forge.cmd')].find((path) => existsSync(path))
  if (forge === undefined) {
    process.stdout.write(`forge is not on npm for ${process.platform}-${process.arch}: 0 passed, 0 failed\n`)
    return 0
  }
  const only = process.argv[2]
  const runs = only === '--gas' ? [gas] : only === '--behaviour' ? [behaviour] : [behaviour, gas]
  const outcomes = runs.map((run) => (run === gas ? measureGas(forge) : runForge(forge, run)))
  const sum = (key: 'passed' | 'failed'): number => outcomes.reduce((total, outcome) => total + outcome[key], 0)
  process.stdout.write(`${sum('passed')} passed, ${sum('failed')} failed\n`)
  return outcomes.every(({ status }) => status === 0) ? 0 : 1
}

/** Gas that differs from what is committed is a failure and changes nothing, unless it is to be written. */
function measureGas(forge: string): Outcome {
  const committed = readFileSync(gasFile, 'utf8')
  const outcome = runForge(forge, gas)
  const measured = readFileSync(gasFile, 'utf8')
  if (outcome.status !== 0 || process.env.MEMO_GAS === 'write' || measured === committed) return outcome
  writeFileSync(gasFile, committed)
  const [before, after] = [committed, measured].map((text) => JSON.parse(text) as Record<string, string>)
  for (const name of new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])) {
    const [was, is] = [before?.[name] ?? 'nothing', after?.[name] ?? 'nothing']
    if (was !== is) process.stdout.write(`gas of ${name}: ${is}, committed is ${was}\n`)
  }
  process.stdout.write('MEMO_GAS=write writes it anew\n')
  return { status: 1, passed: outcome.passed, failed: outcome.failed + 1 }
}

type Outcome = { readonly status: number; readonly passed: number; readonly failed: number }

function runForge(forge: string, { args, env }: Run): Outcome {
  // The solc shim is a script: it runs on the Node that runs this.
  const path = [dirname(process.execPath), process.env.PATH ?? ''].join(delimiter)
  const { status, stdout } = spawnSync(forge, ['test', '--color', 'never', ...args], {
    cwd: packageRoot,
    encoding: 'utf8',
    env: { ...process.env, ...env, PATH: path, FOUNDRY_DISABLE_NIGHTLY_WARNING: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  process.stdout.write(stdout)
  const summary = /(\d+) tests passed, (\d+) failed/.exec(stdout)
  if (summary === null) process.stdout.write('forge printed no summary\n')
  const [passed, failed] = summary === null ? [0, 1] : [Number(summary[1]), Number(summary[2])]
  return { status: status ?? 1, passed, failed: status !== 0 && failed === 0 ? 1 : failed }
}

process.exitCode = main()
