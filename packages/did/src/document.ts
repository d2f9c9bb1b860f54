import type { DidDocumentData } from '@memo/chain'
import {
  type OriginalVerificationMethod,
  originalMethod,
  type VerificationMethod,
  verificationMethods,
} from './verification-method.ts'

/**
 * A DID document: what W3C DID Core needs, and beside it what only the original has (`verifycationMethod` with keys in
 * hexadecimal digits, `recovery`), so that clients of either read it (`spec/did.md` 9).
 */
export type DidDocument = {
  readonly '@context': readonly string[]
  readonly id: string
  readonly verificationMethod: readonly VerificationMethod[]
  readonly verifycationMethod: readonly OriginalVerificationMethod[]
  readonly authentication: readonly string[]
  readonly assertionMethod: readonly string[]
  readonly capabilityDelegation: readonly string[]
  readonly recovery: readonly string[]
}

/** Where the terms of a document are defined: DID Core, then each type of verification method. */
const CONTEXT = [
  'https://www.w3.org/ns/did/v1',
  'https://w3id.org/security/multikey/v1',
  'https://w3id.org/security/suites/secp256k1-2019/v1',
  'https://w3id.org/security/suites/secp256k1recovery-2020/v2',
  'https://w3id.org/security/suites/ed25519-2018/v1',
]

/**
 * The document of a DID as the chain has it at `now` (unix seconds). A deactivated DID has no keys and no relations.
 * `chainId` names the chain in account ids (CAIP-10).
 */
export function documentFromData(data: DidDocumentData, chainId: number, now: number): DidDocument {
  const { did, relations } = data
  const alive = data.deactivated ? [] : data.methods.filter((method) => !method.deactivated)
  const methods = new Map(alive.map((key) => [`${did}#${key.id}`, verificationMethods(did, key, chainId)]))
  const isForeign = (url: string) => !url.startsWith(`${did}#`)
  const idsOf = (url: string) => (isForeign(url) ? [url] : (methods.get(url) ?? []).map(({ id }) => id))
  const relation = (urls: readonly string[]) => (data.deactivated ? [] : [...new Set(urls)].flatMap(idsOf))
  const delegated = relations.delegation.filter(({ expiration }) => expiration >= BigInt(now))
  const recovery = data.deactivated ? [] : [...new Set(relations.recovery)]
  return {
    '@context': CONTEXT,
    id: did,
    verificationMethod: [...methods.values()].flat(),
    verifycationMethod: alive.map((key) => originalMethod(did, key, chainId)),
    authentication: relation([`${did}#masterKey`, ...relations.authentication]),
    assertionMethod: relation(relations.assertion),
    capabilityDelegation: relation(delegated.map(({ url }) => url)),
    recovery: recovery.filter((url) => isForeign(url) || methods.has(url)),
  }
}
