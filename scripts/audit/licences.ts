import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type LockedPackage, type LockFile, nameOf } from './lock-file.ts'

/**
 * Licences that a dependency may have, by SPDX. All let what is ours stay Apache-2.0 OR MIT; MPL-2.0 asks of changes to its
 * own files only, and we change none.
 */
const ALLOWED: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MPL-2.0',
  'Python-2.0',
  'Unlicense',
])

/** What is wrong with the licences and install scripts of dependencies, a sentence each. */
export function checkPackages(lock: LockFile, root: string): string[] {
  return [...lock].flatMap(([place, entry]) => {
    const name = nameOf(place)
    const licence = entry.license ?? findInstalledLicence(join(root, place)) ?? findLicenceOfDependent(lock, name)
    return [
      ...(isAllowed(licence) ? [] : [`${place} has the licence ${licence ?? 'of nobody knows what'}`]),
      ...(entry.hasInstallScript ? [`${place} runs a script when it is installed`] : []),
    ]
  })
}

/** Whether an SPDX expression lets us choose an allowed licence; of `AND` every side must be one. */
export function isAllowed(expression: string | undefined): boolean {
  if (expression === undefined) return false
  const plain = expression.replaceAll(/[()]/g, ' ')
  return plain.split(/\sOR\s/i).some((choice) => choice.split(/\sAND\s/i).every((one) => ALLOWED.has(one.trim())))
}

function findInstalledLicence(dir: string): string | undefined {
  const file = join(dir, 'package.json')
  if (!existsSync(file)) return undefined
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as { license?: unknown; licenses?: { type?: unknown }[] }
  const said = manifest.license ?? manifest.licenses?.[0]?.type
  return typeof said === 'string' ? said : undefined
}

/** Binaries of other platforms are in the lock by name only: they are part of the package that asks for them. */
function findLicenceOfDependent(lock: LockFile, name: string): string | undefined {
  const asks = ({ optionalDependencies }: LockedPackage) => Object.hasOwn(optionalDependencies ?? {}, name)
  return [...lock.values()].find(asks)?.license
}
