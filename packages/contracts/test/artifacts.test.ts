import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { deployedContracts, packageRoot, settings } from '../scripts/compile.ts'
import * as contracts from '../src/index.ts'

/** No chain takes a contract with more code (EIP-170). */
const MAX_CODE_BYTES = 24_576

test('every contract fits on a chain', () => {
  const codes = Object.entries(contracts).filter(([name]) => name.endsWith('DeployedBytecode'))
  assert.equal(codes.length, deployedContracts.length)
  for (const [name, code] of codes) {
    const bytes = (String(code).length - 2) / 2
    assert.ok(bytes > 100 && bytes <= MAX_CODE_BYTES, `${name}: ${bytes} bytes`)
  }
})

test('immutables stand where the code has zeros for them', () => {
  const code = contracts.pledgesDeployedBytecode.slice(2)
  assert.ok(contracts.pledgesImmutables.length >= 3)
  for (const { start, length } of contracts.pledgesImmutables) {
    assert.match(code.slice(start * 2, (start + length) * 2), /^0{64}$/)
  }
})

test('forge tests what is deployed: the same compiler settings', () => {
  const text = readFileSync(join(packageRoot, 'foundry.toml'), 'utf8')
  const has = (line: string): void => assert.ok(text.includes(`\n${line}\n`), line)
  has(`evm_version = "${settings.evmVersion}"`)
  has(`via_ir = ${settings.viaIR}`)
  has(`optimizer = ${settings.optimizer.enabled}`)
  has(`optimizer_runs = ${settings.optimizer.runs}`)
  has(`bytecode_hash = "${settings.metadata.bytecodeHash}"`)
  has(`cbor_metadata = ${settings.metadata.appendCBOR}`)
})

test('solhint has nothing to say', () => {
  const solhint = fileURLToPath(new URL('solhint.js', import.meta.resolve('solhint/package.json')))
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [solhint, '--noPoster', '--disc', '--max-warnings', '0', 'src/**/*.sol'],
    { cwd: packageRoot, encoding: 'utf8' },
  )
  assert.equal(status, 0, `${stdout}${stderr}`)
})
