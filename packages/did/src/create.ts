import {
  addAuth,
  addVeri,
  ContractRefused,
  createDid,
  getDidDocumentData,
  getDidNonce,
  type MemoChain,
  removeAuth,
  TransactionReverted,
} from '@memo/chain'
import { equalBytes, MemoError, NotFoundError, type Signer } from '@memo/core'
import { deriveMemoDid, type MemoDid } from './id.ts'
import { type DidOperation, type MethodType, signOperation } from './operations.ts'

const SECP256K1: MethodType = 'EcdsaSecp256k1VerificationKey2019'

/** The id stands on the chain already, under another master key or deactivated. */
export class DidTakenError extends MemoError {
  override readonly name: string = 'DidTakenError'
  constructor(did: MemoDid, why: string) {
    super(`${did} ${why}`, {
      blame: 'user',
      retry: 'never',
      fix: 'Derive the DID from another number, or from another key.',
      details: { did },
    })
  }
}

/**
 * Creates a Memo DID whose master key is `master`; the account of `chain` pays and relays. The DID is derived from
 * the master address and `nonce`, so a second call gives the same DID: creating is idempotent. Errors:
 * {@link DidTakenError}; those of `createDid` in `@memo/chain`.
 */
export async function createMemoDid(chain: MemoChain, master: Signer, nonce = 0): Promise<MemoDid> {
  const did = deriveMemoDid(master.address, nonce)
  if (await isOwn(chain, did, master)) return did
  const operation = { kind: 'createDid', did, methodType: SECP256K1, key: master.publicKey } as const
  try {
    await createDid(chain.client, {
      addresses: chain.addresses,
      did,
      methodType: SECP256K1,
      publicKey: master.publicKey,
      signature: await sign(chain, operation, master),
    })
  } catch (error) {
    // Another call was faster, or an earlier one whose answer was lost: look before failing.
    const mayBeThere =
      error instanceof TransactionReverted || (error instanceof ContractRefused && error.reason === 'DidExists')
    if (!mayBeThere || !(await isOwn(chain, did, master))) throw error
  }
  return did
}

/**
 * Adds a key to a DID and lets it authenticate; what is done already is not done again. Returns the key's DID URL.
 * Errors: those of `addVeri` and `addAuth`.
 */
export async function addAuthenticationKey(
  chain: MemoChain,
  did: MemoDid,
  master: Signer,
  publicKey: Uint8Array,
): Promise<string> {
  const { client, addresses } = chain
  let known = await findKey(chain, did, publicKey)
  if (known === undefined) {
    const nonce = await getDidNonce(client, { addresses, did })
    const operation = { kind: 'addVeri', did, methodType: SECP256K1, controller: did, key: publicKey, nonce } as const
    const signature = await sign(chain, operation, master)
    await addVeri(client, { addresses, did, controller: did, methodType: SECP256K1, publicKey, signature })
    known = await findKey(chain, did, publicKey)
    if (known === undefined) {
      const fix = 'Call again: what is on the chain by then is not done twice.'
      throw new NotFoundError(`the key added to ${did} cannot be seen yet`, { blame: 'chain', retry: 'now', fix })
    }
  }
  const { url, mayAuthenticate } = known
  if (mayAuthenticate) return url
  const nonce = await getDidNonce(client, { addresses, did })
  const operation = { kind: 'addAuthentication', did, url, nonce } as const
  await addAuth(client, { addresses, did, url, signature: await sign(chain, operation, master) })
  return url
}

/** Takes the right to authenticate from a key. Errors: those of `removeAuth`. */
export async function removeAuthenticationKey(
  chain: MemoChain,
  did: MemoDid,
  master: Signer,
  url: string,
): Promise<void> {
  const { client, addresses } = chain
  const nonce = await getDidNonce(client, { addresses, did })
  const operation = { kind: 'removeAuthentication', did, url, nonce } as const
  await removeAuth(client, { addresses, did, url, signature: await sign(chain, operation, master) })
}

/** In the typed form, which cannot be replayed on another chain. */
async function sign(chain: MemoChain, operation: DidOperation, master: Signer): Promise<Uint8Array> {
  const domain = { chainId: chain.network.chainId, didProxy: chain.addresses.didProxy }
  return await signOperation(operation, master, domain)
}

/** Whether `master` holds the living DID; false where there is none yet. Errors: {@link DidTakenError}. */
async function isOwn(chain: MemoChain, did: MemoDid, master: Signer): Promise<boolean> {
  const record = await chain.findDid(did)
  if (!record) return false
  if (record.masterAddress !== master.address) throw new DidTakenError(did, 'has another master key')
  if (record.deactivated) throw new DidTakenError(did, 'was deactivated, which is final')
  return true
}

/** An active key of the DID, and whether it is in the authentication relation. */
async function findKey(
  chain: MemoChain,
  did: MemoDid,
  publicKey: Uint8Array,
): Promise<{ readonly url: string; readonly mayAuthenticate: boolean } | undefined> {
  const { methods, relations } = await getDidDocumentData(chain.client, { addresses: chain.addresses, did })
  const found = methods.findLast((method) => !method.deactivated && equalBytes(method.publicKey, publicKey))
  const url = `${did}#${found?.id}`
  return found && { url, mayAuthenticate: relations.authentication.includes(url) }
}
