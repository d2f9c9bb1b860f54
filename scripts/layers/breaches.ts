import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** One way to break a rule, and the check that must notice. */
export type Breach = {
  /** What is wrong, to complete "does not notice that …". */
  claim: string
  check: 'biome' | 'tidy'
  /** What is planted: text by path. */
  files: Readonly<Record<string, string>>
  /** What the check must say. */
  says: string
}

/** The smallest tree in which nothing is wrong: text by path. */
export function soundTree(repository: string): Record<string, string> {
  // The page names the folders that the real tree has; here they are not needed.
  const architecture = readFileSync(join(repository, 'ARCHITECTURE.md'), 'utf8')
  const layers = architecture.split('\n').filter((line) => /^\| `[a-z]+` \||^bytes → /.test(line))
  return {
    'ARCHITECTURE.md': `${layers.join('\n')}\n`,
    'package.json': manifest('memo', {}),
    'packages/core/package.json': manifest('@memo/core', {}),
    'packages/core/src/index.ts': "export { one } from './bytes/index.ts'\n",
    'packages/core/src/bytes/index.ts': 'export const one: number = 1\n',
    'packages/core/src/cid/index.ts':
      "import { one } from '../bytes/index.ts'\n\nexport const two: number = one + one\n",
    'packages/core/src/errors/index.ts': 'export class MemoError extends Error {}\n',
    'packages/core/src/piece/index.ts':
      "import { two } from '../cid/index.ts'\n\nexport const three: number = two + 1\n",
    'packages/core/src/primitives/node.ts': "export { createHash } from 'node:crypto'\n",
    'packages/sdk/package.json': manifest('@memo/sdk', { '@memo/core': '0.1.0' }),
    'packages/sdk/src/index.ts': "export { one } from '@memo/core'\n",
    'spec/README.md': '[errors](errors.md)\n',
    'spec/errors.md': '| name | meaning |\n|---|---|\n| `MemoError` | the base |\n\n1. An error has a name.\n',
  }
}

export const breaches: readonly Breach[] = [
  {
    claim: 'the sdk imports the node',
    check: 'biome',
    files: {
      'packages/sdk/package.json': manifest('@memo/sdk', { '@memo/core': '0.1.0', '@memo/node': '0.1.0' }),
      'packages/sdk/src/breach.ts': "export { runProvider } from '@memo/node'\n",
    },
    says: 'packages/sdk may import @memo/core, @memo/chain, @memo/did',
  },
  {
    claim: 'the node imports a part of the sdk',
    check: 'biome',
    files: { 'packages/node/src/breach.ts': "export { put } from '@memo/sdk/testing'\n" },
    says: 'packages/node may import @memo/core, @memo/chain, @memo/did',
  },
  {
    claim: 'core imports a package of ours',
    check: 'biome',
    files: { 'packages/core/src/bytes/breach.ts': "export { createChain } from '@memo/chain'\n" },
    says: 'packages/core may import no package of ours',
  },
  {
    claim: 'the command imports the console',
    check: 'biome',
    files: { 'packages/cli/src/breach.ts': "export { page } from '@memo/console'\n" },
    says: 'packages/cli may import every package but @memo/console',
  },
  {
    claim: 'core imports a module of Node',
    check: 'biome',
    files: { 'packages/core/src/cid/breach.ts': "export { readFile } from 'node:fs/promises'\n" },
    says: 'lint/correctness/noNodejsModules',
  },
  {
    claim: 'source imports what its package.json does not declare',
    check: 'biome',
    files: { 'packages/sdk/src/breach.ts': "export { encode } from 'multiformats'\n" },
    says: 'lint/correctness/noUndeclaredDependencies',
  },
  {
    claim: 'two files import each other',
    check: 'biome',
    files: {
      'packages/core/src/bytes/left.ts':
        "import { right } from './right.ts'\n\nexport const left: () => unknown = () => right\n",
      'packages/core/src/bytes/right.ts':
        "import { left } from './left.ts'\n\nexport const right: () => unknown = () => left\n",
    },
    says: 'lint/suspicious/noImportCycles',
  },
  {
    claim: 'a promise floats',
    check: 'biome',
    files: {
      'packages/core/src/bytes/breach.ts':
        'async function later(): Promise<void> {}\n\nexport function now(): void {\n  later()\n}\n',
    },
    says: 'lint/nursery/noFloatingPromises',
  },
  {
    claim: 'there is a default export',
    check: 'biome',
    files: { 'packages/core/src/bytes/breach.ts': 'export default 1\n' },
    says: 'lint/style/noDefaultExport',
  },
  {
    claim: 'there is an enum',
    check: 'biome',
    files: { 'packages/core/src/bytes/breach.ts': 'export enum Colour {\n  Red,\n}\n' },
    says: 'lint/style/noEnum',
  },
  {
    claim: 'a package prints to the console',
    check: 'biome',
    files: { 'packages/core/src/bytes/breach.ts': "export function say(): void {\n  console.log('x')\n}\n" },
    says: 'lint/suspicious/noConsole',
  },
  {
    claim: 'a stage of core imports one to its right',
    check: 'tidy',
    files: { 'packages/core/src/cid/breach.ts': "export { three } from '../piece/index.ts'\n" },
    says: 'packages/core/src/cid/breach.ts:1 core/cid stands left of core/piece',
  },
  {
    claim: 'a stage of core imports the primitives from their left',
    check: 'tidy',
    files: {
      'packages/core/src/bytes/breach.ts': "\nimport { primitives } from '#primitives'\n\nexport { primitives }\n",
    },
    says: 'packages/core/src/bytes/breach.ts:2 core/bytes stands left of core/primitives',
  },
  {
    claim: 'core has a folder that is no stage',
    check: 'tidy',
    files: { 'packages/core/src/utils/index.ts': "export { one } from '../bytes/index.ts'\n" },
    says: 'core has no stage utils',
  },
  {
    claim: 'a relative import leaves its package',
    check: 'tidy',
    files: { 'packages/sdk/src/breach.ts': "export { two } from '../../core/src/cid/index.ts'\n" },
    says: 'a relative import stays inside its package',
  },
  {
    claim: 'a package depends on one that it may not import',
    check: 'tidy',
    files: { 'packages/sdk/package.json': manifest('@memo/sdk', { '@memo/node': '0.1.0' }) },
    says: 'packages/sdk does not depend on @memo/node',
  },
  {
    claim: 'nobody says why there is a dependency',
    check: 'tidy',
    files: { 'packages/sdk/package.json': manifest('@memo/sdk', { 'left-pad': '1.0.0' }) },
    says: 'spec/decisions/ says why we depend on left-pad',
  },
  {
    claim: 'biome.json forgets a package',
    check: 'tidy',
    files: { 'biome.json': '{}\n' },
    says: 'agree on what packages/sdk may import',
  },
  {
    claim: 'a file is too long',
    check: 'tidy',
    files: { 'packages/core/src/bytes/breach.ts': '// a line\n'.repeat(451) },
    says: 'at most 450 lines, this one 451',
  },
  {
    claim: 'a file name is not kebab-case',
    check: 'tidy',
    files: { 'packages/core/src/bytes/badName.ts': 'export {}\n' },
    says: 'file names are kebab-case',
  },
  {
    claim: 'a bare Error is thrown',
    check: 'tidy',
    files: { 'packages/core/src/bytes/breach.ts': `export function fail(): never {\n  throw new ${'Error'}('x')\n}\n` },
    says: 'packages/core/src/bytes/breach.ts:2 no bare Error',
  },
  {
    claim: 'a catch is empty',
    check: 'tidy',
    files: { 'packages/core/src/bytes/breach.ts': `try {\n} catch ${'{}'}\n` },
    says: 'packages/core/src/bytes/breach.ts:2 no empty catch',
  },
  {
    claim: 'a rejection is dropped without a word',
    check: 'tidy',
    files: {
      'packages/core/src/bytes/breach.ts': 'work()\n  .catch(() => undefined)\nwork().catch(() => {}) // said\n',
    },
    says: 'packages/core/src/bytes/breach.ts:2 no empty catch',
  },
  {
    claim: 'work is put off',
    check: 'tidy',
    files: { 'packages/core/src/bytes/breach.ts': `// ${'TO'}${'DO'} later\n` },
    says: 'no work put off in code',
  },
  {
    claim: 'a test is singled out',
    check: 'tidy',
    files: { 'packages/core/test/breach.test.ts': `test.${'only'}('x', () => {})\n` },
    says: 'no test is singled out or skipped',
  },
  {
    claim: 'a rejection is not awaited',
    check: 'tidy',
    files: { 'packages/core/test/breach.test.ts': `assert.${'rejects'}(later())\n` },
    says: 'assert.rejects is awaited',
  },
  {
    claim: 'a page that is cited does not exist',
    check: 'tidy',
    files: { 'packages/core/src/bytes/breach.ts': `// ${'spec'}/nowhere.md 1\n` },
    says: `there is no ${'spec'}/nowhere.md`,
  },
  {
    claim: 'a rule that is cited does not exist',
    check: 'tidy',
    files: { 'packages/core/src/bytes/breach.ts': `// \`${'spec'}/errors.md\` 7\n` },
    says: 'spec/errors.md has no rule 7',
  },
  {
    claim: 'a page is not in the index',
    check: 'tidy',
    files: { [`${'spec'}/orphan.md`]: '1. A rule.\n' },
    says: 'spec/README.md links every page',
  },
  {
    claim: 'a link leads nowhere',
    check: 'tidy',
    files: { 'STYLE.md': '[gone](gone.md)\n' },
    says: 'STYLE.md:1 there is no gone.md',
  },
  {
    claim: 'an error is not explained',
    check: 'tidy',
    files: { 'packages/core/src/cid/breach.ts': 'export class LostError extends MemoError {}\n' },
    says: 'spec/errors.md lists LostError',
  },
  {
    claim: 'an explained error does not exist',
    check: 'tidy',
    files: { 'spec/errors.md': '| `GoneError` | nobody |\n\n1. An error has a name.\n' },
    says: 'GoneError exists in code',
  },
  {
    claim: 'the name of an error is not that of its class',
    check: 'tidy',
    files: { 'packages/core/src/errors/index.ts': "class LostError extends MemoError {\n  name = 'Lost'\n}\n" },
    says: "the name of LostError is 'LostError', not 'Lost'",
  },
]

function manifest(name: string, dependencies: Record<string, string>): string {
  return `${JSON.stringify({ name, dependencies }, null, 2)}\n`
}
