import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import {
  accountFromSecretKey,
  connectNetwork,
  createChainClient,
  ensureFunds,
  type GasOptions,
  getBlock,
  getGasBalance,
  getMemoBalance,
  type MemoChain,
  registerUser,
} from '@memo/chain'
import { type Address, createKeySigner, type Signer } from '@memo/core'
import { createMemoDid } from '@memo/did'
import { FundsMissingError, NotSetUpError } from '../errors.ts'
import { isLocalNetwork, LOCAL_BANK_KEY, LOCAL_GAS_WEI, LOCAL_USER_ATTO } from '../local-chain.ts'
import { openKeys, type PasswordOptions } from '../password.ts'
import { findProfile, saveProfile } from '../settings.ts'

/** Name of the user's key in `keys/`. */
export const USER_KEY = 'user'
const NEEDED_GAS_WEI: bigint = 10n ** 15n
const POLLING_INTERVAL_MS = 100

/** Who uses the network from this data directory. */
export type Identity = {
  readonly did: string
  readonly secretKey: Uint8Array
  readonly signer: Signer
  readonly keyFile: string
  readonly chain: MemoChain
}

export type IdentityOptions = PasswordOptions & {
  readonly dataDir: string
  readonly rpcUrl: string
  readonly registry: Address
  /** Refuses any other chain. */
  readonly chainId?: number
  /** What transactions may pay for gas. */
  readonly gas?: GasOptions
  /** Kept, where it is given: in gwei. */
  readonly maxGasPrice?: string
  readonly signal: AbortSignal
}

/**
 * The identity of a data directory, made where there is none: a key, an account that is a user, and its DID on chain.
 * What exists is kept; the same call again goes on where an earlier one ended. Errors: {@link FundsMissingError};
 * those of the chain and the key store.
 */
export async function createIdentity(options: IdentityOptions): Promise<Identity> {
  const { dataDir, rpcUrl, registry, gas, maxGasPrice, signal } = options
  // Whoever is asked for a password shall not learn afterwards that the chain is down.
  await getBlock(createChainClient({ rpcUrl }))
  const isLocal = await isLocalNetwork(rpcUrl)
  const keys = await openKeys(dataDir, { ...options, isLocal })
  if (!(await keys.list()).includes(USER_KEY)) await keys.save(USER_KEY, new Uint8Array(randomBytes(32)))
  const secretKey = await keys.load(USER_KEY)
  const account = accountFromSecretKey(secretKey)
  const chain = await connectNetwork({ rpcUrl, registry, account, gas, pollingIntervalMs: POLLING_INTERVAL_MS })
  await fundUser(chain, { rpcUrl, isLocal, signal })
  await registerUser(chain.client, { addresses: chain.addresses, signal })
  const signer = createKeySigner(secretKey)
  const did = await createMemoDid(chain, signer)
  const { chainId } = chain.network
  const kept = { ...findProfile(dataDir), ...(maxGasPrice === undefined ? {} : { maxGasPrice }) }
  await saveProfile(dataDir, { ...kept, rpc: rpcUrl, registry, chainId, did, key: USER_KEY })
  return { did, secretKey, signer, keyFile: keyFileOf(dataDir), chain }
}

/** The identity that was made here before. Errors: {@link NotSetUpError}, WrongPasswordError. */
export async function openIdentity(options: IdentityOptions): Promise<Identity> {
  const { dataDir, rpcUrl, registry, chainId, gas } = options
  const profile = findProfile(dataDir)
  if (profile?.did === undefined) {
    throw new NotSetUpError(`there is no identity in ${dataDir} yet`, 'Make one with: memo did create')
  }
  const keys = await openKeys(dataDir, { ...options, isLocal: false })
  const secretKey = await keys.load(profile.key ?? USER_KEY)
  const account = accountFromSecretKey(secretKey)
  const network = { rpcUrl, registry, chainId, account, gas, pollingIntervalMs: POLLING_INTERVAL_MS }
  const chain = await connectNetwork(network)
  return { did: profile.did, secretKey, signer: createKeySigner(secretKey), keyFile: keyFileOf(dataDir), chain }
}

/** Where the key of a user lies. */
export function keyFileOf(dataDir: string): string {
  return join(dataDir, 'keys', `${USER_KEY}.json`)
}

async function fundUser(
  chain: MemoChain,
  { rpcUrl, isLocal, signal }: { rpcUrl: string; isLocal: boolean; signal: AbortSignal },
): Promise<void> {
  const { client, addresses } = chain
  const to = client.account?.address as Address
  const [gasWei, memoAtto] = await Promise.all([
    getGasBalance(client, { address: to }),
    getMemoBalance(client, { addresses, address: to }),
  ])
  if (gasWei >= NEEDED_GAS_WEI && (!isLocal || memoAtto >= LOCAL_USER_ATTO)) return
  if (!isLocal) {
    throw new FundsMissingError(`${to} has too little of the chain’s coin to pay for gas`, {
      blame: 'user',
      retry: 'later',
      fix: `Send some to ${to}, then run the same command again.`,
      details: { address: to, hasWei: `${gasWei}` },
    })
  }
  const account = accountFromSecretKey(LOCAL_BANK_KEY)
  const bank = createChainClient({ rpcUrl, account, pollingIntervalMs: POLLING_INTERVAL_MS })
  await ensureFunds(bank, { addresses, to, memoAtto: LOCAL_USER_ATTO, gasWei: LOCAL_GAS_WEI, signal })
}
