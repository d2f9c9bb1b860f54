/** A copy of the package in which nothing lies outside: forge's coverage and slither read libraries inside their root only. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { packageRoot } from './compile.ts'

const repository = join(packageRoot, '..', '..')

/** What forge and whatever calls it need to find. */
export const forgeEnv: Readonly<Record<string, string>> = {
  PATH: [join(repository, 'node_modules', '.bin'), dirname(process.execPath), process.env.PATH ?? ''].join(delimiter),
  FOUNDRY_DISABLE_NIGHTLY_WARNING: '1',
}

/** Runs `use` in a copy of the package with these folders of it, and removes the copy. */
export function withCopy<Result>(folders: readonly string[], use: (copy: string) => Result): Result {
  const root = mkdtempSync(join(tmpdir(), 'memo-contracts-'))
  try {
    const copy = join(root, 'packages', 'contracts')
    for (const name of folders) cpSync(join(packageRoot, name), join(copy, name), { recursive: true })
    writeFileSync(join(copy, 'foundry.toml'), settingsOfCopy())
    cpSync(join(repository, 'spec', 'vectors'), join(root, 'spec', 'vectors'), { recursive: true })
    const library = join('@openzeppelin', 'contracts')
    cpSync(join(repository, 'node_modules', library), join(copy, 'lib', library), { recursive: true })
    return use(copy)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

/** The settings of the package, with everything inside the copy. */
function settingsOfCopy(): string {
  return readFileSync(join(packageRoot, 'foundry.toml'), 'utf8')
    .replaceAll('../../node_modules', 'lib')
    .replace('bin/solc', join(packageRoot, 'bin', 'solc'))
}
