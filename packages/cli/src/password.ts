import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import type { KeyStore } from '@memo/core'
import { LIGHT_SCRYPT_N, openKeyStore, writeFileDurably } from '@memo/platform'
import { UsageError } from './errors.ts'
import { InterruptedError } from './runtime.ts'

export type PasswordOptions = { readonly passwordFile?: string }

const KEYS_DIR = 'keys'
/** Beside the keys of local networks, which guard nothing. */
const LOCAL_PASSWORD_FILE = 'password'

/**
 * The key store of a data directory, opened with `--password-file`, MEMO_PASSWORD, or what the user types. On a local
 * network (`isLocal`), or where it was one before, a random password lies beside the keys and nobody is asked.
 * Errors: {@link UsageError}.
 */
export async function openKeys(
  dataDir: string,
  options: PasswordOptions & { readonly isLocal: boolean },
): Promise<KeyStore> {
  const dir = join(dataDir, KEYS_DIR)
  const kept = join(dir, LOCAL_PASSWORD_FILE)
  const given = givenPassword(options)
  if (given !== undefined) return await openKeyStore(dir, given)
  if (existsSync(kept)) return await openKeyStore(dir, readPassword(kept), { scryptN: LIGHT_SCRYPT_N })
  if (options.isLocal) {
    const password = randomBytes(24).toString('base64url')
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    await writeFileDurably(kept, `${password}\n`)
    return await openKeyStore(dir, password, { scryptN: LIGHT_SCRYPT_N })
  }
  const password = await askPassword(`password for the keys in ${dir}: `)
  // Whoever mistypes the password of a new key has lost it.
  if (!hasKeys(dir) && (await askPassword('the same again: ')) !== password) {
    throw new UsageError('the two passwords differ', 'Run the command again.')
  }
  return await openKeyStore(dir, password)
}

/** Whether the keys of a data directory open without somebody typing. */
export function opensUnasked(dataDir: string, options: PasswordOptions): boolean {
  return (
    options.passwordFile !== undefined ||
    process.env.MEMO_PASSWORD !== undefined ||
    existsSync(join(dataDir, KEYS_DIR, LOCAL_PASSWORD_FILE))
  )
}

/** The password of a key file that lies anywhere. Errors: {@link UsageError}. */
export async function passwordFor(path: string, options: PasswordOptions): Promise<string> {
  const beside = join(path, '..', LOCAL_PASSWORD_FILE)
  const given = givenPassword(options)
  if (given !== undefined) return given
  return existsSync(beside) ? readPassword(beside) : await askPassword(`password of ${path}: `)
}

function hasKeys(dir: string): boolean {
  return existsSync(dir) && readdirSync(dir).some((name) => name.endsWith('.json'))
}

function givenPassword({ passwordFile }: PasswordOptions): string | undefined {
  if (passwordFile !== undefined) return readPassword(passwordFile)
  return process.env.MEMO_PASSWORD
}

function readPassword(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    throw new UsageError(`the password file ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}

async function askPassword(prompt: string): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new UsageError(
      'a password is needed and there is no terminal to ask on',
      'Give --password-file FILE, or set MEMO_PASSWORD.',
    )
  }
  process.stderr.write(prompt)
  // What is typed is not shown: readline echoes into nothing.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const reader = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  const interrupted = Promise.withResolvers<never>()
  // The terminal is in raw mode: Ctrl-C arrives as a key, not as a signal.
  reader.once('SIGINT', () => interrupted.reject(new InterruptedError('interrupted')))
  try {
    return await Promise.race([reader.question(''), interrupted.promise])
  } finally {
    reader.close()
    process.stderr.write('\n')
  }
}
