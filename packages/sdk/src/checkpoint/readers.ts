import {
  addressFromPublicKey,
  compressPublicKey,
  findSignerKey,
  hexFromBytes,
  loginDigest,
  MAX_CHECKPOINT_READERS,
  MemoError,
  type SignedEntry,
} from '@memo/core'
import type { StorageContext } from '../context.ts'

/** No key of the DID is known that a checkpoint could be sealed for. */
export class OwnerKeyUnknownError extends MemoError {
  override readonly name: string = 'OwnerKeyUnknownError'
  constructor(did: string) {
    super(`no public key of ${did} is known to seal a checkpoint for`, {
      blame: 'user',
      retry: 'later',
      fix: 'Log in with a key of the DID that may authenticate.',
      details: { did },
    })
  }
}

/**
 * For whom a checkpoint is sealed (`spec/checkpoint.md` 6): this account, and of the DID all keys that may authenticate today
 * and are known: from its document, from `given`, and from the login that its log begins with; of too many the first.
 *
 * @throws OwnerKeyUnknownError when it is sealed for no key of the DID
 */
export async function checkpointReaders(
  { chain, ports }: StorageContext,
  did: string,
  given: readonly Uint8Array[],
  findFirst: () => Promise<SignedEntry | undefined>,
): Promise<Uint8Array[]> {
  const keys = (await chain.findDid(did))?.authenticationKeys ?? []
  const addresses = new Set(keys.map((key) => key.address))
  const documented = keys.flatMap((key) => key.publicKey ?? [])
  const own = ports.signer.publicKey
  const named = [...documented, ...given, own].filter((key) => addresses.has(addressFromPublicKey(key)))
  const ofDid = named.length > 0 ? named : await keyOfLogin(did, addresses, findFirst)
  const readers = new Map([own, ...ofDid].map((key) => [hexFromBytes(compressPublicKey(key)), compressPublicKey(key)]))
  return [...readers.values()].slice(0, MAX_CHECKPOINT_READERS)
}

async function keyOfLogin(
  did: string,
  addresses: ReadonlySet<string>,
  findFirst: () => Promise<SignedEntry | undefined>,
): Promise<Uint8Array[]> {
  const login = (await findFirst())?.entry.evidence
  const key = login && findSignerKey(loginDigest(did, login.token, login.timestamp), login.signature)
  if (!key || !addresses.has(addressFromPublicKey(key))) throw new OwnerKeyUnknownError(did)
  return [key]
}
