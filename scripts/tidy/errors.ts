import { type Finding, isScript, lineAt, type Tree } from './tree.ts'

const PAGE = 'spec/errors.md'
const BASE = 'MemoError'
const CLASS = /\bclass (\w+) extends (\w+)/g
const TABLE_NAME = /^\|\s*`(\w+)`\s*\|/
const OWN_NAME = /\bname(?:: string)? = '(\w+)'/

type ErrorClass = { name: string; parent: string; path: string; line: number; body: string }

/** The errors that code can throw and the errors that the page explains are the same. */
export function checkErrors(tree: Tree): Finding[] {
  const classes = listErrors(tree)
  const page = tree.find(PAGE)
  if (page === undefined) return []
  const listed = new Map(
    page.lines.flatMap((line, index) => {
      const name = TABLE_NAME.exec(line)?.[1]
      return name === undefined ? [] : [[name, index + 1] as const]
    }),
  )
  const defined = new Set(classes.map((error) => error.name))
  const unlisted = classes
    .filter((error) => !listed.has(error.name))
    .map(({ path, line, name }) => ({ path, line, rule: `${PAGE} lists ${name}`, why: 'who meets it looks there' }))
  const gone = [...listed]
    .filter(([name]) => !defined.has(name) && name !== BASE)
    .map(([name, line]) => ({ path: PAGE, line, rule: `${name} exists in code`, why: 'nobody can meet it' }))
  return [...unlisted, ...gone, ...classes.flatMap(checkOwnName)]
}

/** The classes that extend MemoError, at whatever distance. */
function listErrors(tree: Tree): ErrorClass[] {
  const all = tree.files
    .filter((file) => isScript(file.path) && /^packages\/[^/]+\/src\//.test(file.path))
    .flatMap((file) =>
      [...file.text.matchAll(CLASS)].map((match): ErrorClass => {
        const [, name = '', parent = ''] = match
        const body = file.text.slice(match.index).split(/\n\}/, 1)[0] ?? ''
        return { name, parent, path: file.path, line: lineAt(file.text, match.index), body }
      }),
    )
  const errors = new Set([BASE])
  for (let before = 0; before !== errors.size; ) {
    before = errors.size
    for (const { name, parent } of all) if (errors.has(parent)) errors.add(name)
  }
  return all.filter((found) => errors.has(found.parent))
}

/** `name` is what tells errors apart, also after minifying: it is written out and equals the class. */
function checkOwnName({ name, path, line, body }: ErrorClass): Finding[] {
  const own = OWN_NAME.exec(body)?.[1]
  if (own === undefined || own === name) return []
  return [{ path, line, rule: `the name of ${name} is '${name}', not '${own}'`, why: 'callers compare it' }]
}
