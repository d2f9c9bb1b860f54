/**
 * Completes package-lock.json with the native packages of other platforms: `node scripts/complete-lock.ts`.
 * With `--check` it changes nothing and ends with 1 if any is missing.
 *
 * npm leaves out of the lock what it could not look up while it wrote it, and later refuses to install from a lock that
 * leaves out anything. A registry mirror that carries one platform only is enough for that. The names of such packages
 * say for which system and processor they are, and their version is written where they are asked for, so that the lock
 * can be completed without asking anyone. A second run changes nothing.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

type Entry = {
  version?: string
  dev?: boolean
  license?: string
  optional?: boolean
  os?: string[]
  cpu?: string[]
  libc?: string[]
  engines?: Record<string, string>
  optionalDependencies?: Record<string, string>
}
type Lock = { packages: Record<string, Entry> }

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const PROCESSORS = ['arm64', 'arm', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64']
/** What npm calls a build for WebAssembly; it is for any system, and no machine installs it by itself. */
const ANY_SYSTEM = 'wasm32'
const EXACT_VERSION = /^\d+\.\d+\.\d+(-[\w.]+)?$/

const path = join(import.meta.dirname, '..', 'package-lock.json')

function main(check: boolean): number {
  const lock = JSON.parse(readFileSync(path, 'utf8')) as Lock
  const added = completeLock(lock)
  if (added.length === 0) {
    console.log('package-lock.json is complete')
    return 0
  }
  if (check) {
    console.log(`npm ci would refuse package-lock.json, which lacks ${added.join(', ')}`)
    console.log('complete it with: node scripts/complete-lock.ts')
    return 1
  }
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)))
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
  console.log(`added ${added.join(', ')}`)
  return 0
}

function completeLock({ packages }: Lock): string[] {
  const names: string[] = []
  for (const [dependent, entry] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (packages[`node_modules/${name}`] !== undefined || packages[`${dependent}/node_modules/${name}`]) continue
      packages[`node_modules/${name}`] = entryOf(name, version, entry)
      names.push(name)
    }
  }
  return names
}

/** The entry of a package that only another platform installs; without a hash, since nobody here has seen it. */
function entryOf(name: string, version: string, dependent: Entry): Entry {
  const words = name.split(/[/-]/)
  const os = SYSTEMS.find((system) => words.includes(system))
  const cpu = PROCESSORS.find((processor) => words.includes(processor))
  const libc = words.includes('musl') ? 'musl' : words.includes('gnu') && os === 'linux' ? 'glibc' : undefined
  if ((os === undefined && cpu !== ANY_SYSTEM) || cpu === undefined || !EXACT_VERSION.test(version)) {
    throw new TypeError(`${name}@${version} is missing, and its name does not say for which platform it is`)
  }
  return {
    version,
    cpu: [cpu],
    ...(dependent.dev === undefined ? {} : { dev: dependent.dev }),
    ...(libc === undefined ? {} : { libc: [libc] }),
    optional: true,
    ...(os === undefined ? {} : { os: [os] }),
  }
}

process.exitCode = main(process.argv.includes('--check'))
