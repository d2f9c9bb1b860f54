/**
 * Measures which branches of the contracts the Solidity tests take, and fails where a contract that holds or moves money has
 * too few. Forge's coverage reads libraries inside its root only, so it runs on a copy.
 */
import { spawnSync } from 'node:child_process'
import { forgeEnv, withCopy } from './self-contained.ts'

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
  return withCopy(['src', 'test'], (copy) => judge(measure(copy)))
}

function measure(copy: string): string {
  const { stdout, stderr } = spawnSync('forge', ['coverage', '--report', 'summary', '--color', 'never'], {
    cwd: copy,
    encoding: 'utf8',
    env: { ...process.env, ...runs, ...forgeEnv },
  })
  const table = stdout.slice(stdout.indexOf('╭---'))
  if (!table.includes('src/Orders.sol')) throw new TypeError(`forge measured nothing:\n${stdout}${stderr}`)
  return table
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
