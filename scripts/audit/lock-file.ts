import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A package of the lock file, as far as an audit looks at it. */
export type LockedPackage = {
  readonly version?: string
  readonly license?: string
  /** A package of this workspace. */
  readonly link?: boolean
  readonly hasInstallScript?: boolean
  readonly integrity?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** Packages from outside by their place in the tree, such as `node_modules/a/node_modules/b`. */
export type LockFile = ReadonlyMap<string, LockedPackage>

const NESTED = 'node_modules/'

export function readLockFile(root: string): LockFile {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>
  }
  return new Map(Object.entries(packages).filter(([place, { link }]) => place.includes(NESTED) && !link))
}

export function nameOf(place: string): string {
  return place.slice(place.lastIndexOf(NESTED) + NESTED.length)
}
