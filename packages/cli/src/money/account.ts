import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { accountFromSecretKey, connectNetwork, type GasOptions, type MemoChain } from '@memo/chain'
import { type Address, findAddress, NotFoundError } from '@memo/core'
import { findMemoDid } from '@memo/did'
import { NotSetUpError, UsageError } from '../errors.ts'
import { readSecretKey } from '../key-file.ts'
import { isLocalNetwork } from '../local-chain.ts'
import { findNodeConfig, NODE_KEY } from '../nodes/node-config.ts'
import { openKeys } from '../password.ts'
import { dataDirOf, findProfile, type KeptNetwork, networkOf, readJson } from '../settings.ts'
import { USER_KEY } from '../user/identity.ts'
import type { UserOptions } from '../user/open-storage.ts'

export type AccountOptions = UserOptions & { readonly key?: string }

/** An account of which the address is known; nothing is signed with it. */
export type KnownAccount = {
  /** What people call it: `you`, `provider-1`. */
  readonly name: string
  readonly address: Address
}

/** The account that a verb spends from. */
export type Payer = {
  readonly address: Address
  readonly did: string | undefined
  readonly secretKey: Uint8Array
  readonly chain: MemoChain
  readonly isLocal: boolean
  /** Where what it has sent and not seen confirmed is kept. */
  readonly dataDir: string
}

const POLLING_INTERVAL_MS = 100

/** What a data directory knows of a network: that of a user, or that of a node. */
export function findKept(dataDir: string): KeptNetwork | undefined {
  return findProfile(dataDir) ?? findNodeConfig(dataDir)
}

/** The network of a data directory, to read from. Errors: {@link NotSetUpError}, those of `connectNetwork`. */
export async function openChain(options: AccountOptions): Promise<MemoChain> {
  return await connectNetwork(networkOf(options, findKept(dataDirOf(options))))
}

/** The account of `--key`, else the user or node of the data directory. Errors: {@link NotSetUpError}, WrongPasswordError. */
export async function openPayer(options: AccountOptions): Promise<Payer> {
  const dataDir = dataDirOf(options)
  const network = networkOf(options, findKept(dataDir))
  const isLocal = await isLocalNetwork(network.rpcUrl)
  const { secretKey, did } = await loadKey(options, dataDir)
  return await payerOf({ secretKey, did, dataDir, isLocal, ...network })
}

/** A payer with a key at hand. */
export async function payerOf(
  options: Pick<Payer, 'secretKey' | 'did' | 'dataDir' | 'isLocal'> & {
    readonly rpcUrl: string
    readonly registry: Address
    readonly chainId?: number
    readonly gas?: GasOptions
  },
): Promise<Payer> {
  const { secretKey, did, dataDir, isLocal, rpcUrl, registry, chainId, gas } = options
  const account = accountFromSecretKey(secretKey)
  const network = { rpcUrl, registry, chainId, account, gas, pollingIntervalMs: POLLING_INTERVAL_MS }
  const chain = await connectNetwork(network)
  return { address: findAddress(account.address) as Address, did, secretKey, chain, isLocal, dataDir }
}

async function loadKey(options: AccountOptions, dataDir: string) {
  if (options.key !== undefined) return { secretKey: await readSecretKey(options.key, options), did: undefined }
  const profile = findProfile(dataDir)
  const node = findNodeConfig(dataDir)
  if (profile?.did === undefined && !node) {
    throw new NotSetUpError(`there is no account in ${dataDir} yet`, 'Make one with: memo did create')
  }
  const keys = await openKeys(dataDir, { ...options, isLocal: false })
  const name = profile?.did === undefined ? NODE_KEY : (profile.key ?? USER_KEY)
  return { secretKey: await keys.load(name), did: profile?.did }
}

/** The accounts of a data directory, the user's first; on a local network also those of its nodes. No key is opened. */
export function listKnownAccounts(dataDir: string): KnownAccount[] {
  const profile = findProfile(dataDir)
  const user = profile?.did === undefined ? undefined : addressOfKey(dataDir, profile.key ?? USER_KEY)
  const own = findNodeConfig(dataDir)
  const nodes = subdirectoriesOf(dataDir).flatMap((name) => {
    const node = findNodeConfig(join(dataDir, name))
    return node ? [{ name, address: node.address }] : []
  })
  return [
    ...(user ? [{ name: 'you', address: user }] : []),
    ...(own ? [{ name: own.kind, address: own.address }] : []),
    ...nodes,
  ]
}

/** A key file says in clear whose it is. */
function addressOfKey(dataDir: string, name: string): Address | undefined {
  const file = readJson(join(dataDir, 'keys', `${name}.json`)) as { readonly address?: unknown } | undefined
  return typeof file?.address === 'string' ? findAddress(`0x${file.address.replace(/^0x/, '')}`) : undefined
}

/** Names of the directories in a directory, as people count; none where it is not there. */
export function subdirectoriesOf(dir: string): string[] {
  try {
    const entries = readdirSync(dir, { withFileTypes: true })
    const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
    return names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Whom space or traffic is for. */
export type Target = { readonly address: Address; readonly did: string | undefined }

/** The account behind an address or a DID, which is that of its master key. Errors: {@link UsageError}, NotFoundError. */
export async function findTarget(chain: MemoChain, text: string): Promise<Target> {
  const address = findAddress(text)
  if (address) return { address, did: undefined }
  const did = findMemoDid(text)
  if (!did) {
    throw new UsageError(
      `${text} is neither an address nor a Memo DID`,
      'Give 0x… with 40 digits, or did:memo:… with 64.',
    )
  }
  const record = await chain.findDid(did)
  if (record && !record.deactivated) return { address: record.masterAddress, did }
  throw new NotFoundError(record ? `${did} is deactivated` : `there is no ${did} on this chain`, {
    fix: 'Check the DID, and that the network is the right one: memo info',
    details: { did },
  })
}
