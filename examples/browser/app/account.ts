import { accountFromSecretKey, connectNetwork, createCachedChain, type MemoChain, registerUser } from '@memo/chain'
import { type Address, createKeySigner, findBytesFromHex, hexFromBytes } from '@memo/core'
import { createMemoDid } from '@memo/did'
import { createStorage, type Storage } from '@memo/sdk'
import {
  BROWSER_LIMITS,
  createBrowserClock,
  createBrowserPorts,
  createBrowserRandomness,
  createWebCryptoEncoder,
} from '@memo/sdk/browser'

const KEY_NAME = 'memo-example-test-key'
const KEY_BYTES = 32
/** How long what the chain said is believed. */
const CHAIN_CACHE_MS = 3_000

/** Where the network is: a chain and the one address on it that leads to all others. */
export type NetworkConfig = { readonly rpc: string; readonly registry: Address; readonly policy: string }

/** Who uses the network from this page, and the storage that acts for them. */
export type Account = {
  readonly did: string
  readonly publicKey: Uint8Array
  readonly chain: MemoChain
  readonly storage: Storage
}

/**
 * The account of this browser, made where there is none: a key, coins for gas from `fund`, the role of a user, and a DID.
 * Each step finds what an earlier visit has done.
 */
export async function openAccount(
  { rpc: rpcUrl, registry }: NetworkConfig,
  fund: (address: Address) => Promise<void>,
): Promise<Account> {
  const secretKey = openKey()
  const signer = createKeySigner(secretKey)
  const chain = await connectNetwork({ rpcUrl, registry, account: accountFromSecretKey(secretKey) })
  await fund(signer.address)
  await registerUser(chain.client, { addresses: chain.addresses })
  const did = await createMemoDid(chain, signer)
  const storage = createStorage({
    chain: createCachedChain(chain, createBrowserClock(), CHAIN_CACHE_MS),
    ports: createBrowserPorts({ network: chain.network, signer }),
    reader: { publicKey: signer.publicKey, secretKey },
    limits: BROWSER_LIMITS,
    encode: createWebCryptoEncoder(),
  })
  return { did, publicKey: signer.publicKey, chain, storage }
}

/** A test key. An application with keys of worth leaves them to a wallet or a passkey. */
function openKey(): Uint8Array {
  const kept = findBytesFromHex(localStorage.getItem(KEY_NAME), KEY_BYTES)
  if (kept) return kept
  const fresh = createBrowserRandomness().bytes(KEY_BYTES)
  localStorage.setItem(KEY_NAME, hexFromBytes(fresh))
  return fresh
}
