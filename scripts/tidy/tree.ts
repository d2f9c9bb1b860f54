import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A file of the repository that the house rules look at. */
export type SourceFile = {
  /** From the root, with slashes. */
  path: string
  text: string
  /** The same by line; `lines[0]` is line 1. */
  lines: readonly string[]
}

/** The repository as the rules see it. */
export type Tree = {
  files: readonly SourceFile[]
  /** The file at a path, or undefined. */
  find: (path: string) => SourceFile | undefined
  /** Whether there is a file or folder at a path, also one that the rules do not look at. */
  exists: (path: string) => boolean
}

/** One breach of one rule. */
export type Finding = {
  path: string
  line: number
  /** What is wrong. */
  rule: string
  /** Why the house cares, or what to do. */
  why: string
}

export type Rule = (tree: Tree) => Finding[]

const PATTERN =
  '{*,.*,{.ci,.github,bench,e2e,examples,packages,scripts,spec}/**/*}.{ts,tsx,js,mjs,css,html,sol,md,json}'
/** What is made by tools or is not ours to shape. */
const EXCLUDED = [
  'node_modules',
  '**/node_modules',
  '**/dist',
  '**/coverage',
  '**/generated',
  '**/kernel-bytes.ts',
  '**/*.as.ts',
  'packages/contracts/out',
  'packages/contracts/cache',
  'packages/core/src/erasure/kernel',
  'package-lock.json',
  'spec/vectors',
]

/** Reads the tree below `root`. */
export function readTree(root: string): Tree {
  const paths = globSync(PATTERN, { cwd: root, exclude: EXCLUDED }).sort()
  const files = paths.map((path): SourceFile => {
    const text = readFileSync(join(root, path), 'utf8')
    return { path: path.replaceAll('\\', '/'), text, lines: text.split('\n') }
  })
  const byPath = new Map(files.map((file) => [file.path, file]))
  return { files, find: (path) => byPath.get(path), exists: (path) => existsSync(join(root, path)) }
}

/** Whether this is TypeScript or JavaScript. */
export function isScript(path: string): boolean {
  return /\.(ts|tsx|js|mjs)$/.test(path)
}

/** The line number of an offset into a text. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}
