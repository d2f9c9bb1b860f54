import type { Finding, Tree } from './tree.ts'

/** Every package from outside is there for a reason that someone wrote down. */
export function checkDependencies(tree: Tree): Finding[] {
  const notes = tree.files.filter((file) => /^spec\/decisions\/.*\.md$/.test(file.path)).map((file) => file.text)
  return tree.files
    .filter((file) => file.path === 'package.json' || file.path.endsWith('/package.json'))
    .flatMap((file) =>
      listDependencies(file.text)
        .filter((name) => !notes.some((text) => text.includes(`\`${name}\``)))
        .map((name) => ({
          path: file.path,
          line: file.lines.findIndex((line) => line.includes(`"${name}"`)) + 1,
          rule: `spec/decisions/ says why we depend on ${name}`,
          why: 'one sentence in spec/decisions/dependencies.md is enough',
        })),
    )
}

type Manifest = Partial<Record<'dependencies' | 'devDependencies' | 'optionalDependencies', Record<string, string>>>

function listDependencies(text: string): string[] {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(text) as Manifest
  const names = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })
  return names.filter((name) => !name.startsWith('@memo/'))
}
