import { posix } from 'node:path'
import { type Architecture, readArchitecture } from './architecture.ts'
import { type Finding, isScript, lineAt, type SourceFile, type Tree } from './tree.ts'

const IMPORT = /(?:\bfrom|\bimport|\bimport\()\s*['"]([^'"\n]+)['"]/g
const TYPE_IMPORT = /^\s*(?:import|export) type\b/
const CORE = 'packages/core/src/'
const PORTS = 'ports'
const ENTRY = 'index'
const TESTING = 'testing'

type Import = { from: SourceFile; specifier: string; line: number; typeOnly: boolean }

/** Holds imports to ARCHITECTURE.md where Biome cannot: between the folders of core, and by relative path. */
export function checkLayers(tree: Tree): Finding[] {
  const architecture = readArchitecture(tree)
  if ('rule' in architecture) return [architecture]
  const imports = tree.files.filter((file) => isScript(file.path)).flatMap(listImports)
  return [
    ...imports.flatMap(checkStaysInside),
    ...imports.flatMap((found) => checkCoreOrder(found, architecture.coreOrder)),
    ...checkManifests(tree, architecture),
    ...checkBiome(tree, architecture),
  ]
}

function listImports(file: SourceFile): Import[] {
  return [...file.text.matchAll(IMPORT)].map((match) => {
    const line = lineAt(file.text, match.index)
    const statement =
      file.text
        .slice(0, match.index)
        .split(/\n(?=import|export)/)
        .at(-1) ?? ''
    return { from: file, specifier: match[1] ?? '', line, typeOnly: TYPE_IMPORT.test(statement) }
  })
}

/** A relative import never leaves its package: the other's entry point is its promise, its files are not. */
function checkStaysInside({ from, specifier, line }: Import): Finding[] {
  const home = /^packages\/[^/]+\//.exec(from.path)?.[0]
  if (home === undefined || !specifier.startsWith('.')) return []
  if (posix.join(posix.dirname(from.path), specifier).startsWith(home)) return []
  return [
    {
      path: from.path,
      line,
      rule: `a relative import stays inside its package: ${specifier}`,
      why: 'the entry point of a package is its promise, its files are not; import it by name',
    },
  ]
}

function checkCoreOrder({ from, specifier, line, typeOnly }: Import, order: readonly string[]): Finding[] {
  if (!from.path.startsWith(CORE)) return []
  const importer = stageOf(from.path)
  const imported = importedStage(from.path, specifier)
  if (imported === undefined || importer === imported || importer === ENTRY || importer === TESTING) return []
  const breach = (rule: string, why: string): Finding[] => [{ path: from.path, line, rule, why }]
  if (imported === TESTING || imported === ENTRY) {
    return breach(`no stage of core imports ${imported}`, 'it stands on top of all of them')
  }
  if (importer === PORTS) {
    return typeOnly ? [] : breach('ports.ts imports types only', 'an interface has nothing to run')
  }
  if (imported === PORTS) return []
  for (const stage of [importer, imported]) {
    if (!order.includes(stage)) return breach(`core has no stage ${stage}`, 'give it a place in ARCHITECTURE.md')
  }
  if (order.indexOf(imported) < order.indexOf(importer)) return []
  return breach(
    `core/${importer} stands left of core/${imported} and does not import it`,
    `data flows one way: ${order.join(' → ')}`,
  )
}

function importedStage(from: string, specifier: string): string | undefined {
  if (specifier === '#primitives') return 'primitives'
  if (!specifier.startsWith('.')) return undefined
  const target = posix.join(posix.dirname(from), specifier)
  return target.startsWith(CORE) ? stageOf(target) : undefined
}

/** The folder of a file of core, or its name without extension where it lies beside them. */
function stageOf(path: string): string {
  return (path.slice(CORE.length).split('/')[0] ?? '').replace(/\.ts$/, '')
}

/** What is not in `dependencies` cannot be imported by who installs the package; what is, could be. */
function checkManifests(tree: Tree, { mayImport }: Architecture): Finding[] {
  return tree.files.flatMap((file) => {
    const name = /^packages\/([^/]+)\/package\.json$/.exec(file.path)?.[1]
    if (name === undefined) return []
    const allowed = mayImport.get(name)
    if (allowed === undefined) {
      return [{ path: file.path, line: 1, rule: `package ${name} is in no row of ARCHITECTURE.md`, why: 'add it' }]
    }
    const { dependencies = {} } = JSON.parse(file.text) as { dependencies?: Record<string, string> }
    const breaches = Object.keys(dependencies).filter((dependency) => {
      return dependency.startsWith('@memo/') && !allowed.includes(dependency.slice('@memo/'.length))
    })
    return breaches.map((dependency) => ({
      path: file.path,
      line: file.lines.findIndex((line) => line.includes(`"${dependency}"`)) + 1,
      rule: `packages/${name} does not depend on ${dependency}`,
      why: `ARCHITECTURE.md lets it import ${allowed.join(', ') || 'no package of ours'}`,
    }))
  })
}

type BiomeOverride = {
  includes: string[]
  linter?: { rules?: { style?: { noRestrictedImports?: { options: { patterns: { group: string[] }[] } } } } }
}

/** biome.json says the same as the table, so that no package is forgotten by either. */
function checkBiome(tree: Tree, { mayImport }: Architecture): Finding[] {
  const biome = tree.find('biome.json')
  const { overrides = [] } = JSON.parse(biome?.text ?? '{}') as { overrides?: BiomeOverride[] }
  return [...mayImport].flatMap(([name, allowed]) => {
    const group = overrides.find((override) => override.includes[0]?.startsWith(`packages/${name}/`))?.linter?.rules
      ?.style?.noRestrictedImports?.options.patterns[0]?.group
    const forbidden = [...mayImport.keys()].filter((other) => other !== name && !allowed.includes(other))
    const same =
      group !== undefined &&
      forbidden.every((other) => isRestricted(group, other)) &&
      !allowed.some((other) => isRestricted(group, other))
    if (same) return []
    return [
      {
        path: 'biome.json',
        line: 1,
        rule: `biome.json and ARCHITECTURE.md agree on what packages/${name} may import`,
        why: 'one decides, the other enforces',
      },
    ]
  })
}

function isRestricted(group: readonly string[], name: string): boolean {
  if (group.includes(`!@memo/${name}`)) return false
  return group.includes('@memo/*') || group.includes(`@memo/${name}`)
}
