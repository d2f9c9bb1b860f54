import type { Finding, Tree } from './tree.ts'

const PAGE = 'ARCHITECTURE.md'
const TABLE_ROW = /^\| `([a-z]+)` \|.*\| ([^|]+) \|$/
const EXCEPT = /^all but ([a-z, ]+)$/

/** What ARCHITECTURE.md decides, which the other rules hold code to. */
export type Architecture = {
  /** For each package, the packages of ours that its source may import. */
  mayImport: ReadonlyMap<string, readonly string[]>
  /** The folders of core from left to right; each imports only folders to its left. */
  coreOrder: readonly string[]
}

/** Reads the table of packages and the order of core, or says what is missing. */
export function readArchitecture(tree: Tree): Architecture | Finding {
  const lines = tree.find(PAGE)?.lines ?? []
  const rows = lines.flatMap((line) => {
    const [, name, imports] = TABLE_ROW.exec(line) ?? []
    return name === undefined || imports === undefined ? [] : [{ name, imports: imports.trim() }]
  })
  const names = rows.map((row) => row.name)
  const mayImport = new Map(rows.map((row) => [row.name, parseImports(row.imports, row.name, names)]))
  const coreOrder = lines.find((line) => line.startsWith('bytes → '))?.split(' → ') ?? []
  if (mayImport.size > 0 && coreOrder.length > 0) return { mayImport, coreOrder }
  return {
    path: PAGE,
    line: 1,
    rule: 'ARCHITECTURE.md has the table of packages and the order of core',
    why: 'the layers are read from there; without them nothing is checked',
  }
}

function parseImports(text: string, self: string, names: readonly string[]): string[] {
  if (text === '–') return []
  const except = EXCEPT.exec(text)?.[1]?.split(', ')
  if (except !== undefined) return names.filter((name) => name !== self && !except.includes(name))
  return text.split(', ')
}
