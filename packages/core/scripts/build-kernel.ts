/**
 * Compiles `src/erasure/kernel/dot.as.ts` to the WebAssembly bytes in `src/erasure/kernel-bytes.ts`.
 *
 * `build-kernel.ts` writes the file; `build-kernel.ts --check` only proves that the committed bytes reproduce.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { MemoError } from '../src/errors/index.ts'

const ERASURE = resolve(dirname(fileURLToPath(import.meta.url)), '../src/erasure')
const SOURCE = 'dot.as.ts'
const TARGET = join(ERASURE, 'kernel-bytes.ts')

// --importMemory: the loader gives each instance a memory of exactly the size that it needs.
const FLAGS: readonly string[] = ['-O3', '--runtime', 'stub', '--importMemory', '--noExportMemory', '--noAssert']
const VARIANTS: readonly { name: string; flags: readonly string[] }[] = [
  { name: 'RELAXED_KERNEL', flags: ['--enable', 'simd', '--enable', 'relaxed-simd'] },
  { name: 'STRICT_KERNEL', flags: ['--enable', 'simd'] },
]

const run = promisify(execFile)

// The compiler runs as a program: importing it would bring the types of its portable library into every file here.
const COMPILER = fileURLToPath(import.meta.resolve('assemblyscript/bin/asc.js'))
const COMPILE_TIMEOUT_MS = 60_000

/** The kernel's source does not compile, or not without warnings. */
export class KernelBuildError extends MemoError {
  override readonly name: string = 'KernelBuildError'
  constructor(complaints: string) {
    super(`${SOURCE} does not compile cleanly:\n${complaints}`, { blame: 'us', retry: 'never' })
  }
}

async function compile(flags: readonly string[]): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'memo-kernel-'))
  try {
    const kernel = join(ERASURE, 'kernel')
    const output = join(folder, 'kernel.wasm')
    // The compiler takes its output relative to the base folder.
    const args = [COMPILER, SOURCE, '--outFile', relative(kernel, output), ...FLAGS, ...flags]
    const { stderr } = await run(process.execPath, args, { cwd: kernel, timeout: COMPILE_TIMEOUT_MS })
    if (stderr.trim() !== '') throw new KernelBuildError(stderr.trim())
    return await readFile(output)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The text of `kernel-bytes.ts`. */
export async function buildKernelModule(): Promise<string> {
  const lines = [
    '// Generated from kernel/dot.as.ts by packages/core/scripts/build-kernel.ts; `--check` proves that it reproduces.',
  ]
  for (const { name, flags } of VARIANTS) {
    const bytes = await compile(flags)
    lines.push('', `/** ${bytes.length} bytes of WebAssembly, in base64. */`)
    lines.push(`export const ${name}: string =`, `  '${Buffer.from(bytes).toString('base64')}'`)
  }
  return `${lines.join('\n')}\n`
}

async function main(isCheck: boolean): Promise<void> {
  const built = await buildKernelModule()
  if (!isCheck) {
    await writeFile(TARGET, built)
    console.log(`wrote ${relative(process.cwd(), TARGET)}`)
    return
  }
  const committed = await readFile(TARGET, 'utf8')
  if (committed !== built) {
    console.error('kernel-bytes.ts is not what its source compiles to. Run: npm run erasure:build')
    process.exitCode = 1
    return
  }
  console.log('kernel-bytes.ts reproduces')
}

if (import.meta.main) await main(process.argv.includes('--check'))
