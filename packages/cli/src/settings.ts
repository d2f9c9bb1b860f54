import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import type { GasOptions } from '@memo/chain'
import { type Address, BadInputError, findAddress } from '@memo/core'
import { writeFileDurably } from '@memo/platform'
import envPaths from 'env-paths'
import { NotSetUpError, UsageError } from './errors.ts'
import { fileError } from './file-error.ts'
import { gasOf } from './gas-price.ts'

/** What every verb may be given. */
export type CommonOptions = {
  readonly data?: string
  readonly json?: boolean
  readonly color?: boolean
  readonly yes?: boolean
}

/** What is kept in a data directory so that the next verb need not be told again (`spec/data-directory.md` 2). */
export type Profile = {
  readonly rpc: string
  readonly registry: Address
  readonly chainId: number
  readonly gateway?: string
  readonly did?: string
  /** Name of the user's key in `keys/`. */
  readonly key?: string
  readonly policy?: string
  /** What a unit of gas may cost at the most, in gwei. */
  readonly maxGasPrice?: string
}

const PROFILE_FILE = 'profile.json'

/** The data directory: `--data`, MEMO_DATA, or `name` under the place where this system keeps data. */
export function dataDirOf(options: CommonOptions, name = 'network'): string {
  const given = options.data ?? process.env.MEMO_DATA
  if (given !== undefined && given !== '') return isAbsolute(given) ? given : resolve(given)
  return join(systemDataDir(), name)
}

/** A path as it can be typed. */
export function quotedPath(path: string): string {
  return /^[\w@%+=:,./~-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}

/** How a verb of the network in `dataDir` is typed where this process was started: the command, and the option that it needs. */
export function wordsFor(dataDir: string): { readonly memo: string; readonly data: string } {
  const memo = process.env.npm_execpath === undefined ? 'memo' : 'npx memo'
  return { memo, data: dataDir === dataDirOf({}) ? '' : ` --data ${quotedPath(dataDir)}` }
}

function systemDataDir(): string {
  const xdg = process.env.XDG_DATA_HOME
  if (xdg && isAbsolute(xdg)) return join(xdg, 'memo')
  if (process.platform === 'darwin' || process.platform === 'win32') return envPaths('memo', { suffix: '' }).data
  return join(homedir(), '.local', 'share', 'memo') // a relative XDG_DATA_HOME is to be ignored, says its definition
}

export function findProfile(dataDir: string): Profile | undefined {
  return readJson(join(dataDir, PROFILE_FILE)) as Profile | undefined
}

export async function saveProfile(dataDir: string, profile: Profile): Promise<void> {
  await writeFileDurably(join(dataDir, PROFILE_FILE), `${JSON.stringify(profile, null, 2)}\n`)
}

/** What a JSON file holds; undefined when there is none. Errors: FileSystemError; BadInputError when it is no JSON object. */
export function readJson(path: string): unknown {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw fileError(error, path)
  }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
  } catch (cause) {
    throw new BadInputError(`${path} is not JSON`, { cause, fix: 'Restore it, or move it away and set up again.' })
  }
  throw new BadInputError(`${path} is not a JSON object`, { fix: 'Restore it, or move it away and set up again.' })
}

export type NetworkOptions = { readonly rpc?: string; readonly registry?: string; readonly maxGasPrice?: string }

/** What a data directory knows of its network. */
export type KeptNetwork = {
  readonly rpc?: string
  readonly registry?: string
  readonly chainId?: number
  readonly maxGasPrice?: string
}

/**
 * Where the network is: flags, then MEMO_RPC and MEMO_REGISTRY, then what `kept` says. Where the registry is the kept one, so is the
 * chain: another one at a wrong RPC is then called by its number. Errors: {@link UsageError}, {@link NotSetUpError}.
 */
export function networkOf(
  options: NetworkOptions,
  kept: KeptNetwork | undefined,
): { readonly rpcUrl: string; readonly registry: Address; readonly chainId?: number; readonly gas: GasOptions } {
  const rpcUrl = options.rpc ?? process.env.MEMO_RPC ?? kept?.rpc
  const given = options.registry ?? process.env.MEMO_REGISTRY
  const registry = given ?? kept?.registry
  if (rpcUrl === undefined || registry === undefined) {
    throw new NotSetUpError(
      `no network is known here: ${rpcUrl === undefined ? '--rpc' : '--registry'} is missing`,
      'Give --rpc URL and --registry ADDRESS, or start a network of your own with: memo up',
    )
  }
  if (!/^https?:$/.test(URL.parse(rpcUrl)?.protocol ?? '')) throw new UsageError(`--rpc ${rpcUrl} is not an http URL`)
  const address = findAddress(registry)
  if (!address) throw new UsageError(`--registry ${registry} is not an address`)
  const isKept = kept?.chainId !== undefined && findAddress(kept.registry) === address
  const gas = gasOf(options.maxGasPrice, kept?.maxGasPrice)
  return { rpcUrl, registry: address, ...(isKept ? { chainId: kept.chainId } : {}), gas }
}

/** A whole number of an option. Errors: {@link UsageError}. */
export function wholeNumber(flag: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d{1,15}$/.test(text) && value >= min && value <= max) return value
    throw new UsageError(`${flag} ${text} is not a whole number from ${min} to ${max}`)
  }
}

const SIZE = /^(\d{1,30}(?:\.\d{1,6})?) ?(?:([kmgtpezy])(i?)b|b)?$/i
const MAX_SIZE_TEXT = '9,007,199,254,740,991 bytes, a byte less than 8 PiB'

/** A size such as `10GiB`, `1.5 TB` or `4096`; decimal units are taken as such. Errors: {@link UsageError}. */
export function parseSize(text: string): number {
  const [, value, prefix = '', binary] = SIZE.exec(text.trim()) ?? []
  const fix = 'Write it as 10GiB, 1.5TB, 500 MB …'
  if (value === undefined) throw new UsageError(`${text} is not a size`, fix)
  const exact = Number(value) * (binary ? 1_024 : 1_000) ** ' kmgtpezy'.indexOf(prefix.toLowerCase() || ' ')
  const bytes = Math.round(exact)
  if (bytes > Number.MAX_SAFE_INTEGER) throw new UsageError(`${text} is too large: at most ${MAX_SIZE_TEXT}`, fix)
  // 1.1MiB is a size to the nearest byte; half a byte is none.
  const isPart = prefix === '' ? !Number.isInteger(exact) : bytes === 0 && exact > 0
  if (isPart) throw new UsageError(`${text} is not a whole number of bytes`, fix)
  return bytes
}

/** A size as an option. Errors: {@link UsageError}. */
export function sizeInBytes(flag: string): (text: string) => number {
  return (text) => {
    try {
      return parseSize(text)
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      throw new UsageError(`${flag} ${error.message}`, error.fix)
    }
  }
}
