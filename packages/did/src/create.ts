import { addAuth, addVeri, createDid, getDidDocumentData, getDidNonce, type MemoChain } from '@memo/chain'
import type { Signer } from '@memo/core'
import { deriveMemoDid, type MemoDid } from './id.ts'
import { type MethodType, signOperation } from './operations.ts'

const SECP256K1: MethodType = 'EcdsaSecp256k1VerificationKey2019'

/**
 * Creates a Memo DID whose master key is `master`; the account of `chain` pays and relays. The DID is derived from
 * the master address and its transaction count, so a second call for an unused key gives the same DID: creating is
 * idempotent. Errors: those of `createDid` in `@memo/chain`.
 */
export async function createMemoDid(chain: MemoChain, master: Signer, nonce = 0): Promise<MemoDid> {
  const did = deriveMemoDid(master.address, nonce)
  if (await chain.findDid(did)) return did
  const operation = { kind: 'createDid', did, methodType: SECP256K1, key: master.publicKey } as const
  await createDid(chain.client, {
    addresses: chain.addresses,
    did,
    methodType: SECP256K1,
    publicKey: master.publicKey,
    signature: await signOperation(operation, master),
  })
  return did
}

/**
 * Adds a key to a DID and lets it authenticate. Returns the key's DID URL. Errors: those of `addVeri` and `addAuth`.
 */
export async function addAuthenticationKey(
  chain: MemoChain,
  did: MemoDid,
  master: Signer,
  publicKey: Uint8Array,
): Promise<string> {
  const { addresses } = chain
  const added = { kind: 'addVeri', methodType: SECP256K1, controller: did, key: publicKey } as const
  const nonce = await getDidNonce(chain.client, { addresses, did })
  await addVeri(chain.client, {
    addresses,
    did,
    controller: did,
    methodType: SECP256K1,
    publicKey,
    signature: await signOperation({ ...added, nonce }, master),
  })
  const { methods } = await getDidDocumentData(chain.client, { addresses, did })
  const url = `${did}#key-${methods.length - 1}`
  const next = await getDidNonce(chain.client, { addresses, did })
  const operation = { kind: 'addAuthentication', did, url, nonce: next } as const
  await addAuth(chain.client, { addresses, did, url, signature: await signOperation(operation, master) })
  return url
}
