import { type Finding, isScript, lineAt, type SourceFile, type Tree } from './tree.ts'

/** A rule that one pattern can see. */
type Ban = {
  applies: (path: string) => boolean
  pattern: RegExp
  rule: string
  why: string
}

const isPackageSource = (path: string): boolean => isScript(path) && /^packages\/[^/]+\/src\//.test(path)
const isTest = (path: string): boolean => path.endsWith('.test.ts')
const isCode = (path: string): boolean => isScript(path) || path.endsWith('.sol')

const bans: readonly Ban[] = [
  {
    applies: isPackageSource,
    pattern: /\b(throw|reject\()\s*new Error\(/g,
    rule: 'no bare Error for what the world does',
    why: 'a typed error says whose fault it is and whether a retry can help: extend MemoError',
  },
  {
    applies: isScript,
    pattern: /\bcatch\s*(\([^)]*\))?\s*\{\s*\}/g,
    rule: 'no empty catch',
    why: 'what is swallowed is never found: handle it, or say in the block why it does not matter',
  },
  {
    applies: isScript,
    // Unless a comment stands on the line, or on the one before.
    pattern: /(?<!^[ \t]*\/\/.*\n.*)\.catch\(\s*\([^)]*\)\s*=>\s*(\{\s*\}|undefined)\s*\)(?!.*\/\/)/gm,
    rule: 'no empty catch',
    why: 'what is swallowed is never found: handle it, or say in a comment there why it does not matter',
  },
  {
    applies: isCode,
    pattern: /\b(TO(?:DO)|FIX(?:ME)|XX(?:X))\b/g,
    rule: 'no work put off in code',
    why: 'do it now, or leave it out',
  },
  {
    applies: isTest,
    pattern: /\b(test|it|describe|suite)\.(only|skip|todo)\(|\b(only|skip|todo):\s*true\b|\.(skip|todo)\(\s*\)/g,
    rule: 'no test is singled out or skipped without a reason',
    why: 'a test that does not run proves nothing; where the machine lacks something, give the reason as text',
  },
  {
    applies: isScript,
    pattern: /^\s*assert\.(rejects|doesNotReject)\(/gm,
    rule: 'assert.rejects is awaited',
    why: 'it returns a promise: without await the test passes before it has looked',
  },
  {
    applies: () => true,
    pattern: /(?<![\w.~:-])\/(work|root|home|Users)\/[A-Za-z.]/g,
    rule: 'no path of one machine',
    why: 'it means nothing on another',
  },
]

/** What one pattern over the text can see. */
export function checkCode(tree: Tree): Finding[] {
  return tree.files.flatMap((file) =>
    bans.filter((ban) => ban.applies(file.path)).flatMap((ban) => findBanned(file, ban)),
  )
}

function findBanned(file: SourceFile, { pattern, rule, why }: Ban): Finding[] {
  return [...file.text.matchAll(pattern)].map((match) => {
    const indentation = match[0].length - match[0].trimStart().length
    return { path: file.path, line: lineAt(file.text, match.index + indentation), rule, why }
  })
}
