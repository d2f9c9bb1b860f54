import { posix } from 'node:path'
import { type Finding, lineAt, type Tree } from './tree.ts'

const CITATION = /\bspec\/([a-z0-9/-]+\.md)(?:`?\s+(\d+(?:\.\d+)*))?/g
const LINK = /\]\((?![a-z]+:)([^)#\s]+)/g
/** A path in a document; pages of the spec are held by {@link checkCitations}. */
const PATH = /`((?:bench|e2e|examples|packages|scripts|spec(?!\/[a-z-]+\.md))\/[\w./-]+)`/g
const INDEX = 'spec/README.md'

/** A rule that code cites exists, so that a reader who follows the citation finds it. */
export function checkCitations(tree: Tree): Finding[] {
  return tree.files.flatMap((file) =>
    [...file.text.matchAll(CITATION)].flatMap((match): Finding[] => {
      const [, page = '', rule] = match
      const cited = tree.find(`spec/${page}`)
      const line = lineAt(file.text, match.index)
      const why = 'write the rule in spec/, or cite the one that is meant'
      if (cited === undefined) return [{ path: file.path, line, rule: `there is no spec/${page}`, why }]
      if (rule === undefined || hasRule(cited.text, rule)) return []
      return [{ path: file.path, line, rule: `spec/${page} has no rule ${rule}`, why }]
    }),
  )
}

/** Every page can be reached from the index. */
export function checkIndex(tree: Tree): Finding[] {
  const index = tree.find(INDEX)?.text ?? ''
  return tree.files
    .filter((file) => /^spec\/[a-z0-9-]+\.md$/.test(file.path))
    .filter((file) => !index.includes(`](${file.path.slice('spec/'.length)})`))
    .map((file) => ({
      path: file.path,
      line: 1,
      rule: `${INDEX} links every page`,
      why: 'a page that nobody finds binds nobody',
    }))
}

/** What a document points at is there. */
export function checkPointers(tree: Tree): Finding[] {
  const documents = tree.files.filter((file) => file.path.endsWith('.md'))
  return documents.flatMap(({ path, text }) => {
    const links = [...text.matchAll(LINK)].map((match) => ({
      match,
      target: posix.join(posix.dirname(path), match[1] ?? ''),
    }))
    const paths = [...text.matchAll(PATH)].map((match) => ({ match, target: match[1] ?? '' }))
    return [...links, ...paths]
      .filter(({ target }) => !tree.exists(target))
      .map(({ match, target }) => ({
        path,
        line: lineAt(text, match.index),
        rule: `there is no ${target}`,
        why: 'a document that sends its reader nowhere costs more than none',
      }))
  })
}

/** A rule is a numbered item or a numbered heading: `3. …`, `## 3. …`, `**3.2** …`. */
function hasRule(text: string, rule: string): boolean {
  return new RegExp(`^\\s*(#+ +)?(\\*\\*)?${rule.replaceAll('.', '\\.')}(\\.|\\)|\\*\\*| )`, 'm').test(text)
}
