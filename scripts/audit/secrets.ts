import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { lintSource } from '@secretlint/core'
import { creator } from '@secretlint/secretlint-rule-preset-recommend'

const PRESET = '@secretlint/secretlint-rule-preset-recommend'
const CONFIG = { rules: [{ id: PRESET, rule: creator, options: {} }] }
/** Larger ones are compiled artifacts. */
const MAX_BYTES = 2 * 1_048_576

/** Stands for a password in tests, and is one that nobody uses. */
const TEST_PASSWORD = 'hunter2'

/** Credentials in files that git knows, as `file:line what`. */
export async function findSecrets(root: string): Promise<string[]> {
  const found: string[] = []
  for (const path of listFiles(root)) found.push(...(await findSecretsIn(path, readFileSync(join(root, path), 'utf8'))))
  return found
}

export async function findSecretsIn(path: string, content: string): Promise<string[]> {
  const source = { filePath: path, content, ext: path.slice(path.lastIndexOf('.')), contentType: 'text' as const }
  const { messages } = await lintSource({ source, options: { config: CONFIG, maskSecrets: true } })
  const lines = content.split('\n')
  return messages
    .filter(({ loc }) => !lines[loc.start.line - 1]?.includes(TEST_PASSWORD))
    .map(({ loc, message }) => `${path}:${loc.start.line} ${message}`)
}

/** Files that git tracks; those that are in no work tree yet are not looked at. */
function listFiles(root: string): string[] {
  const listed = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1_048_576 })
  return listed.split('\0').filter((path) => {
    const stat = path === '' ? undefined : statSync(join(root, path), { throwIfNoEntry: false })
    return stat?.isFile() && stat.size <= MAX_BYTES
  })
}
