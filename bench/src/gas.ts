/**
 * What each call costs at the worst state that its limits allow, measured anew by the Solidity tests.
 *
 *     npm run bench:gas
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A transaction of this size fits into a block of every chain that is meant; no call may take more than a third. */
const TRANSACTION_GAS = 16_000_000
const LIMIT_GAS = Math.floor(TRANSACTION_GAS / 3)
const NAME_COLUMNS = 60

const contracts = join(import.meta.dirname, '..', '..', 'packages', 'contracts')

process.exitCode = main()

function main(): number {
  const args = ['--conditions=source', join(contracts, 'scripts', 'test.ts'), '--gas']
  const { status, stdout } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) {
    process.stderr.write(`${stdout}\nmeasured gas is not what is committed; MEMO_GAS=write writes it anew\n`)
    return 1
  }
  const text = readFileSync(join(contracts, 'src', 'generated', 'worst-case.json'), 'utf8')
  const rows = Object.entries(JSON.parse(text) as Record<string, string>)
    .map(([name, gas]) => ({ name, gas: Number(gas) }))
    .sort((a, b) => b.gas - a.gas)
  process.stdout.write(`${'call, as a transaction'.padEnd(NAME_COLUMNS)} ${'gas'.padStart(9)}  of a third of 16 M\n`)
  for (const { name, gas } of rows) {
    const share = `${((gas / LIMIT_GAS) * 100).toFixed(1)} %`
    process.stdout.write(`${name.padEnd(NAME_COLUMNS)} ${gas.toLocaleString('en').padStart(9)}  ${share.padStart(7)}\n`)
  }
  return rows.some(({ gas }) => gas > LIMIT_GAS) ? 1 : 0
}
