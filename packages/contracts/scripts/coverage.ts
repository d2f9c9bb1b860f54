/**
 * Measures which branches of the contracts the Solidity tests take, and fails where a contract that holds or moves money has
 * too few. Forge's coverage reads libraries inside its root only, so it runs on a copy.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { packageRoot } from './compile.ts'

/** What each file below must reach. */
const LEAST_PERCENT = 95

/** Everything through which money goes. */
const moneyFiles: readonly string[] = [
  'EpochClock.sol',
  'Escrow.sol',
  'FileProxy.sol',
  'Orders.sol',
  'Pledges.sol',
  'QuotaPay.sol',
  'Reads.sol',
  'SpaceMarket.sol',
  'libraries/EpochPins.sol',
  'libraries/FailedEpochs.sol',
  'libraries/Locks.sol',
  'libraries/OrderBook.sol',
  'libraries/OrderMath.sol',
  'libraries/PayBook.sol',
  'libraries/PledgeBook.sol',
  'libraries/SaleBook.sol',
]

/** Coverage instruments the code; fewer runs take the same branches. */
const runs = { FOUNDRY_FUZZ_RUNS: '32', FOUNDRY_INVARIANT_RUNS: '4' }

function main(): number {
  const root = mkdtempSync(join(tmpdir(), 'memo-coverage-'))
  try {
    return judge(measure(root))
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

function measure(root: string): string {
  const repository = join(packageRoot, '..', '..')
  const copy = join(root, 'packages', 'contracts')
  for (const name of ['src', 'test']) cpSync(join(packageRoot, name), join(copy, name), { recursive: true })
  writeFileSync(join(copy, 'foundry.toml'), settingsOfCopy())
  cpSync(join(repository, 'spec', 'vectors'), join(root, 'spec', 'vectors'), { recursive: true })
  const library = join('@openzeppelin', 'contracts')
  cpSync(join(repository, 'node_modules', library), join(copy, 'lib', library), { recursive: true })
  const { stdout, stderr } = spawnSync(
    join(repository, 'node_modules', '.bin', 'forge'),
    ['coverage', '--report', 'summary', '--color', 'never'],
    {
      cwd: copy,
      encoding: 'utf8',
      env: {
        ...process.env,
        ...runs,
        PATH: [dirname(process.execPath), process.env.PATH ?? ''].join(delimiter),
        FOUNDRY_DISABLE_NIGHTLY_WARNING: '1',
      },
    },
  )
  const table = stdout.slice(stdout.indexOf('╭---'))
  if (!table.includes('src/Orders.sol')) throw new TypeError(`forge measured nothing:\n${stdout}${stderr}`)
  return table
}

/** The settings of the package, with everything inside the copy. */
function settingsOfCopy(): string {
  return readFileSync(join(packageRoot, 'foundry.toml'), 'utf8')
    .replaceAll('../../node_modules', 'lib')
    .replace('bin/solc', join(packageRoot, 'bin', 'solc'))
}

/** Prints each file's line of the table, and says which have too few branches. */
function judge(table: string): number {
  let missed = 0
  for (const file of moneyFiles) {
    const line = table.split('\n').find((text) => text.includes(`| src/${file} `))
    // Lines, statements, branches, functions.
    const branches = line?.split('|')[4]?.trim() ?? 'none'
    const percent = branches.includes('(0/0)') ? 100 : Number.parseFloat(branches)
    const isEnough = percent >= LEAST_PERCENT
    if (!isEnough) missed += 1
    process.stdout.write(`${isEnough ? 'ok  ' : 'LOW '} src/${file}: branches ${branches}\n`)
  }
  process.stdout.write(`${moneyFiles.length - missed} passed, ${missed} failed\n`)
  return missed === 0 ? 0 : 1
}

process.exitCode = main()
