/**
 * Runs the Solidity tests with the forge that npm installs and ends with its summary. Where npm has no forge for
 * the platform it says so and reports no tests. With MEMO_LONG=1 each invariant meets a million calls instead of ten
 * thousand.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { packageRoot } from './compile.ts'

/** Times the depth of foundry.toml, 160, a million calls. */
const LONG_INVARIANT_RUNS = '6250'

const binaries = join(packageRoot, '..', '..', 'node_modules', '.bin')

const isLong = process.env.MEMO_LONG === '1'
const longRun = { FOUNDRY_INVARIANT_RUNS: LONG_INVARIANT_RUNS }

function main(): number {
  const forge = [join(binaries, 'forge'), join(binaries, 'forge.cmd')].find((path) => existsSync(path))
  if (forge === undefined) {
    process.stdout.write(`forge is not on npm for ${process.platform}-${process.arch}: 0 passed, 0 failed\n`)
    return 0
  }
  // The solc shim is a script: it runs on the Node that runs this.
  const path = [dirname(process.execPath), process.env.PATH ?? ''].join(delimiter)
  const { status, stdout } = spawnSync(forge, ['test', '--color', 'never', ...process.argv.slice(2)], {
    cwd: packageRoot,
    encoding: 'utf8',
    env: { ...process.env, ...(isLong && longRun), PATH: path, FOUNDRY_DISABLE_NIGHTLY_WARNING: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  process.stdout.write(stdout)
  const summary = /(\d+) tests passed, (\d+) failed/.exec(stdout)
  if (summary === null) {
    process.stdout.write('forge printed no summary: 0 passed, 1 failed\n')
    return 1
  }
  process.stdout.write(`${summary[1]} passed, ${summary[2]} failed\n`)
  return status ?? 1
}

process.exitCode = main()
