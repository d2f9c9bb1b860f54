/**
 * Proves that the rules fire. In a small tree of its own, outside the repository but under its biome.json and
 * its ARCHITECTURE.md, the checks first pass; then one breach at a time is planted, and the check that is
 * responsible must name it. A rule that never fires looks the same as a rule that is kept.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Breach, breaches, soundTree } from './layers/breaches.ts'

const repository = join(import.meta.dirname, '..')
const CHECK_TIMEOUT_MS = 60_000

type Outcome = { passed: boolean; output: string }

function main(): number {
  const complaints = [...proveSound(), ...breaches.flatMap(proveBreach)]
  for (const complaint of complaints) console.log(complaint)
  console.log(`layers proof: ${breaches.length} breaches planted, ${complaints.length} complaints`)
  return complaints.length === 0 ? 0 : 1
}

/** The tree passes as it is; otherwise a failure below would prove nothing. */
function proveSound(): string[] {
  return inTree((root) =>
    (['biome', 'tidy'] as const).flatMap((check) => {
      const { passed, output } = runCheck(check, root)
      return passed ? [] : [`${check} fails where nothing is wrong:\n${output}`]
    }),
  )
}

/** With the breach planted, the check fails and says the words that belong to the rule. */
function proveBreach({ claim, check, files, says }: Breach): string[] {
  return inTree((root) => {
    for (const [path, text] of Object.entries(files)) plant(root, path, text)
    const { passed, output } = runCheck(check, root)
    if (!passed && output.includes(says)) return []
    return [`${check} does not notice that ${claim}; it should say: ${says}\n${output}`]
  })
}

function inTree<T>(use: (root: string) => T): T {
  const root = mkdtempSync(join(tmpdir(), 'memo-layers-'))
  try {
    cpSync(join(repository, 'biome.json'), join(root, 'biome.json'))
    for (const [path, text] of Object.entries(soundTree(repository))) plant(root, path, text)
    symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'))
    return use(root)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

function plant(root: string, path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

function runCheck(check: 'biome' | 'tidy', root: string): Outcome {
  const [program, ...args] =
    check === 'tidy'
      ? [process.execPath, '--conditions=source', join(repository, 'scripts', 'tidy.ts'), root]
      : [join(repository, 'node_modules', '.bin', 'biome'), 'lint', '--error-on-warnings', '.']
  const { status, stdout, stderr, error } = spawnSync(program ?? '', args, {
    cwd: root,
    encoding: 'utf8',
    timeout: CHECK_TIMEOUT_MS,
  })
  if (error !== undefined) throw error
  return { passed: status === 0, output: `${stdout}${stderr}` }
}

process.exitCode = main()
