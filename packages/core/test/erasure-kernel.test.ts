import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { buildKernelModule } from '../scripts/build-kernel.ts'
import { isErasureVariantSupported } from '../src/erasure/index.ts'

const run = promisify(execFile)

/** What a runtime of its own prints in which `prelude` ran before the first coder was made. */
async function printedAfter(prelude: string, script: string): Promise<string> {
  const index = JSON.stringify(new URL('../src/erasure/index.ts', import.meta.url).href)
  // Node needs WebAssembly to load TypeScript, so the prelude comes after the import.
  const code = `const { createCoder } = await import(${index})\n${prelude}\n${script}`
  const args = ['--conditions=source', '--input-type=module', '--eval', code]
  const { stdout } = await run(process.execPath, args, { timeout: 120_000 })
  return stdout.trim()
}

const ENCODE = `
  const coder = createCoder({ dataShards: 2, parityShards: 1 })
  const parity = [new Uint8Array(3)]
  coder.encode([Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6)], parity)
  console.log(coder.variant, [...parity[0]].join())`

describe('the erasure kernel', () => {
  test('in the repository is what its source compiles to', async () => {
    const committed = await readFile(new URL('../src/erasure/kernel-bytes.ts', import.meta.url), 'utf8')
    assert.equal(await buildKernelModule(), committed)
  })

  test('is the fastest that the runtime has', async () => {
    const fastest = isErasureVariantSupported('relaxed') ? 'relaxed' : 'strict'
    assert.match(await printedAfter('', ENCODE), new RegExp(`^${fastest} `))
  })

  test('is replaced by plain JavaScript, with the same bytes, where there is no WebAssembly', async () => {
    const [, bytes] = (await printedAfter('', ENCODE)).split(' ')
    assert.equal(await printedAfter('delete globalThis.WebAssembly', ENCODE), `scalar ${bytes}`)
  })

  test('is replaced by plain JavaScript where WebAssembly may not be compiled', async () => {
    const forbid = 'WebAssembly.Module = class { constructor() { throw new WebAssembly.CompileError("forbidden") } }'
    assert.match(await printedAfter(forbid, ENCODE), /^scalar /)
  })

  test('that is named and cannot run is a typed error', async () => {
    const name = `
      try { createCoder({ dataShards: 2, parityShards: 1, variant: 'strict' }) }
      catch (error) { console.log(error.name, error.blame, error.retry) }`
    assert.equal(await printedAfter('delete globalThis.WebAssembly', name), 'ErasureVariantUnavailableError us never')
  })
})
