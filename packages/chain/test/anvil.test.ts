import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { describeWithAnvil } from './support/anvil.ts'

/** Every file here that asks for a chain and would take any. */
const files = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.test.ts'))
  .filter((name) => /\bstart(Chain|Network)\b/.test(readFileSync(join(import.meta.dirname, name), 'utf8')))
  .filter((name) => name !== 'anvil.test.ts')

describeWithAnvil('what holds on our own chain holds on anvil as well', suite, { concurrency: 2 })

function suite(): void {
  test('wherever a test needs a chain', () => {
    assert.ok(files.length >= 6, files.join())
  })

  for (const file of files) {
    test(file, async () => {
      const { code, said } = await runOnAnvil(join(import.meta.dirname, file))
      assert.equal(code, 0, said)
      assert.match(said, /^# pass [1-9]/m)
      assert.match(said, /^# skipped 0$/m)
    })
  }
}

/** Runs a test file in a process of its own, with anvil for each chain that it starts. */
async function runOnAnvil(path: string): Promise<{ readonly code: unknown; readonly said: string }> {
  // Without the mark of the runner that runs this: the other one reports here.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const args = ['--conditions=source', '--test-reporter=tap', path]
  return await new Promise((resolve) => {
    execFile(process.execPath, args, { env: { ...env, MEMO_TEST_CHAIN: 'anvil' } }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, said: `${stdout}${stderr}` }),
    )
  })
}
