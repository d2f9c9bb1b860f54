/**
 * `npm run build`: makes of every package what is published, JavaScript, types and maps in its `dist`, in the order in which they
 * import each other. Nothing in a checkout needs it: there the TypeScript runs as it stands.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './test/processes.ts'

type Manifest = {
  readonly name: string
  readonly exports?: Readonly<Record<string, unknown>>
  readonly bin?: unknown
  readonly dependencies?: Readonly<Record<string, string>>
}
type Package = { readonly dir: string; readonly manifest: Manifest }

/**
 * What applications import runs on every Node from 20 on and in browsers, so that it may use what those have and nothing
 * younger. The others are run by `memo`, which brings its Node along.
 */
const FOR_APPLICATIONS: readonly string[] = ['contracts', 'core', 'chain', 'did', 'sdk'].map((name) => `@memo/${name}`)
const LICENCES = ['LICENSE-APACHE', 'LICENSE-MIT']

function main(): number {
  for (const built of inOrder(readPackages())) {
    const complaint = build(built)
    if (complaint !== undefined) {
      console.error(complaint)
      return 1
    }
    console.log(`built ${built.manifest.name}`)
  }
  return 0
}

/** The packages that have something to publish. */
function readPackages(): Package[] {
  const packagesDir = join(root, 'packages')
  return readdirSync(packagesDir)
    .map((name) => join(packagesDir, name))
    .map((dir) => ({ dir, manifest: JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as Manifest }))
    .filter(({ manifest }) => manifest.exports || manifest.bin)
}

/** Each after those that it depends on. */
function inOrder(packages: readonly Package[]): Package[] {
  const ordered = new Set<Package>()
  const visit = (next: Package) => {
    for (const name of Object.keys(next.manifest.dependencies ?? {})) {
      const needed = packages.find(({ manifest }) => manifest.name === name)
      if (needed && !ordered.has(needed)) visit(needed)
    }
    ordered.add(next)
  }
  packages.forEach(visit)
  return [...ordered]
}

/** Errors of the compiler, as it prints them; undefined where there are none. */
function build({ dir, manifest }: Package): string | undefined {
  // Beside the sources, since the compiler looks from there which of them an import of `#primitives` means.
  const config = join(dir, 'tsconfig.build.json')
  rmSync(join(dir, 'dist'), { recursive: true, force: true })
  for (const licence of LICENCES) copyFileSync(join(root, licence), join(dir, licence))
  writeFileSync(config, JSON.stringify(configOf(FOR_APPLICATIONS.includes(manifest.name))))
  try {
    const { status, stdout } = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', config], {
      encoding: 'utf8',
    })
    return status === 0 ? undefined : `${manifest.name} does not build:\n${stdout}`
  } finally {
    rmSync(config)
  }
}

/** The checkout's options, but that files are written, and packages see of each other what is published. */
function configOf(isForApplications: boolean): object {
  return {
    extends: '../../tsconfig.json',
    compilerOptions: {
      target: 'ES2023',
      lib: [isForApplications ? 'ES2023' : 'ESNext'],
      customConditions: [],
      noEmit: false,
      allowImportingTsExtensions: false,
      rewriteRelativeImportExtensions: true,
      declarationMap: true,
      sourceMap: true,
      rootDir: 'src',
      outDir: 'dist',
    },
    include: ['src'],
    exclude: ['**/*.as.ts'],
  }
}

process.exitCode = main()
