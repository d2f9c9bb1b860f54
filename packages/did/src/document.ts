import type { DidDocumentData, DidMethod } from '@memo/chain'
import { didFromId } from '@memo/chain'
import { concatBytes, hexFromBytes } from '@memo/core'
import { base58btc } from 'multiformats/bases/base58'

/** One verification method of a document. */
export type VerificationMethod = {
  readonly id: string
  readonly type: string
  readonly controller: string
  readonly publicKeyHex?: string
  readonly publicKeyMultibase?: string
  readonly blockchainAccountId?: string
}

/**
 * A DID document: what W3C DID Core needs, and beside it the original's spellings (`verifycationMethod`,
 * `publicKeyHex`, `recovery`), so that clients of either read it (`spec/did.md` 9).
 */
export type DidDocument = {
  readonly '@context': readonly string[]
  readonly id: string
  readonly verificationMethod: readonly VerificationMethod[]
  readonly verifycationMethod: readonly VerificationMethod[]
  readonly authentication: readonly string[]
  readonly assertionMethod: readonly string[]
  readonly capabilityDelegation: readonly string[]
  readonly recovery: readonly string[]
}

const CONTEXT = [
  'https://www.w3.org/ns/did/v1',
  'https://w3id.org/security/suites/secp256k1-2019/v1',
  'https://w3id.org/security/suites/secp256k1recovery-2020/v2',
]
const RECOVERY_TYPE = 'EcdsaSecp256k1RecoveryMethod2020'
/** Multicodec prefixes of public keys, as varints. */
const SECP256K1_PUB: Uint8Array = Uint8Array.of(0xe7, 0x01)
const ED25519_PUB: Uint8Array = Uint8Array.of(0xed, 0x01)

/**
 * The document of a DID as the chain has it at `now` (unix seconds). A deactivated DID has no keys and no relations.
 * `chainId` names the chain in account ids (CAIP-10).
 */
export function documentFromData(data: DidDocumentData, chainId: number, now: number): DidDocument {
  const alive = data.deactivated ? [] : data.methods.filter((method) => !method.deactivated)
  const methods = alive.map((method) => verificationMethod(data.did, method, chainId))
  const isAlive = (url: string) => !url.startsWith(`${data.did}#`) || methods.some((method) => method.id === url)
  const relation = (urls: readonly string[]) => (data.deactivated ? [] : [...new Set(urls)].filter(isAlive))
  const delegated = data.relations.delegation.filter(({ expiration }) => expiration >= BigInt(now))
  const master = alive.length > 0 ? [`${data.did}#masterKey`] : []
  return {
    '@context': CONTEXT,
    id: data.did,
    verificationMethod: methods,
    verifycationMethod: methods,
    authentication: relation([...master, ...data.relations.authentication]),
    assertionMethod: relation(data.relations.assertion),
    capabilityDelegation: relation(delegated.map(({ url }) => url)),
    recovery: relation(data.relations.recovery),
  }
}

function verificationMethod(did: string, method: DidMethod, chainId: number): VerificationMethod {
  const base = { id: `${did}#${method.id}`, type: method.type, controller: didFromId(method.controller) }
  const hex = hexFromBytes(method.publicKey)
  if (method.type === RECOVERY_TYPE) return { ...base, blockchainAccountId: `eip155:${chainId}:${hex}` }
  const prefix = method.type.startsWith('Ed25519') ? ED25519_PUB : SECP256K1_PUB
  const publicKeyMultibase = base58btc.encode(concatBytes(prefix, method.publicKey))
  return { ...base, publicKeyHex: hex, publicKeyMultibase }
}
