import type { Finding, Tree } from './tree.ts'

const MAX_LINES = 450
const KEBAB_CASE = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/
/** A contract has the name of its file, by the custom of Solidity. */
const CONTRACT = /^[A-Z][A-Za-z0-9]*(\.t|\.s)?\.sol$/
/** Documents that are read first are written large, by the custom of repositories. */
const FRONT_PAGE = /^[A-Z]+\.md$/

/** A file is one idea; the longest are where code is at its worst. */
export function checkLength(tree: Tree): Finding[] {
  return tree.files
    .filter((file) => /\.(ts|tsx|sol)$/.test(file.path) && countLines(file.text) > MAX_LINES)
    .map((file) => ({
      path: file.path,
      line: MAX_LINES + 1,
      rule: `a file has at most ${MAX_LINES} lines, this one ${countLines(file.text)}`,
      why: 'a file is one idea: see which second one lives here, and give it a file',
    }))
}

/** Names that differ only in case break on some systems, and one style is found in one guess. */
export function checkNames(tree: Tree): Finding[] {
  return tree.files
    .filter((file) => !isWellNamed(file.path.split('/').at(-1) ?? ''))
    .map((file) => ({
      path: file.path,
      line: 1,
      rule: 'file names are kebab-case',
      why: 'one style is found in one guess, and survives file systems that ignore case',
    }))
}

function isWellNamed(name: string): boolean {
  if (name.startsWith('.')) return true
  return KEBAB_CASE.test(name) || CONTRACT.test(name) || FRONT_PAGE.test(name)
}

function countLines(text: string): number {
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
}
