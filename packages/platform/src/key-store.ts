import { randomBytes } from 'node:crypto'
import { chmod, link, mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { BadInputError, type KeyStore, MemoError, NotFoundError } from '@memo/core'
import { diskError, errnoOf, onDisk, syncDirectory, writeAndSync } from './disk.ts'
import { decryptKeyFile, encryptKeyFile } from './web3-secret.ts'

/** The cost that geth uses for people's keys: about half a second and 128 MiB for each guess. */
const STANDARD_SCRYPT_N = 131_072
/**
 * The cost for keys of local networks that guard nothing of worth and are opened by the dozen: a hundredth of the
 * standard one.
 */
export const LIGHT_SCRYPT_N = 1_024
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/
const SUFFIX = '.json'

/** A key of that name is there already. */
export class KeyExistsError extends MemoError {
  override readonly name: string = 'KeyExistsError'
  constructor(name: string, path: string) {
    super(`there is a key named ${name} already`, {
      blame: 'user',
      retry: 'never',
      fix: `Choose another name, or move ${path} away.`,
      details: { name, path },
    })
  }
}

export type KeyStoreOptions = {
  /** Cost of a guess, a power of two; lower than the default only where the keys guard nothing. */
  readonly scryptN?: number
}

/**
 * Secret keys as files `<name>.json` that wallets read (Web3 Secret Storage version 3), mode 0600 in a directory of
 * mode 0700 (`spec/data-directory.md` 3). Errors: NotFoundError, {@link KeyExistsError}, WrongPasswordError,
 * BadKeyFileError, DiskFullError, DiskFaultError. No error holds a secret.
 */
export async function openKeyStore(dir: string, password: string, options: KeyStoreOptions = {}): Promise<KeyStore> {
  const { scryptN = STANDARD_SCRYPT_N } = options
  await onDisk(dir, async () => {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await chmod(dir, 0o700)
  })
  return {
    async load(name) {
      const path = join(dir, fileOf(name))
      return await decryptKeyFile(await readKeyFile(path, name), password, path)
    },
    async save(name, secretKey) {
      const path = join(dir, fileOf(name))
      await createWhole(path, name, await encryptKeyFile(secretKey, password, scryptN))
    },
    async list() {
      const names = await onDisk(dir, async () => await readdir(dir))
      return names
        .filter((file) => file.endsWith(SUFFIX))
        .map((file) => file.slice(0, -SUFFIX.length))
        .filter((name) => NAME.test(name))
        .sort()
    },
  }
}

function fileOf(name: string): string {
  if (!NAME.test(name)) throw new BadInputError('a key name has up to 64 lower-case letters, digits, dots, - and _')
  return `${name}${SUFFIX}`
}

async function readKeyFile(path: string, name: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw diskError(error, path)
    throw new NotFoundError(`there is no key named ${name}`, { details: { name, path }, cause: error })
  }
}

/** Writes beside, then links: the name appears with all of its content, and never over another file. */
async function createWhole(path: string, name: string, content: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  await onDisk(path, async () => {
    try {
      await writeAndSync(await open(temporary, 'wx', 0o600), content)
      await link(temporary, path)
      await syncDirectory(join(path, '..'))
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') throw new KeyExistsError(name, path)
      throw error
    } finally {
      await rm(temporary, { force: true })
    }
  })
}
