import { type DidMethod, didFromId } from '@memo/chain'
import { concatBytes, hexFromBytes } from '@memo/core'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { base58btc } from 'multiformats/bases/base58'
import { base64url } from 'multiformats/bases/base64'

/** A secp256k1 public key as JOSE writes it. */
export type Secp256k1Jwk = {
  readonly kty: 'EC'
  readonly crv: 'secp256k1'
  /** Coordinates, 32 bytes each, base64url without padding. */
  readonly x: string
  readonly y: string
}

/** A verification method of W3C DID Core: it says its key in exactly one way. */
export type VerificationMethod = {
  /** DID URL. `#masterKey`, `#key-<n>`, or one of these followed by `-multikey`. */
  readonly id: string
  readonly type: string
  readonly controller: string
  readonly publicKeyJwk?: Secp256k1Jwk
  readonly publicKeyMultibase?: string
  readonly publicKeyBase58?: string
  readonly blockchainAccountId?: string
}

/** The same as the original writes it, with the key in hexadecimal digits after `0x`. */
export type OriginalVerificationMethod = {
  readonly id: string
  readonly type: string
  readonly controller: string
  readonly publicKeyHex?: string
  readonly blockchainAccountId?: string
}

const RECOVERY_TYPE = 'EcdsaSecp256k1RecoveryMethod2020'
const ED25519_TYPE = 'Ed25519VerificationKey2018'
/** Multicodec prefixes of public keys, as varints. */
const SECP256K1_PUB: Uint8Array = Uint8Array.of(0xe7, 0x01)
const ED25519_PUB: Uint8Array = Uint8Array.of(0xed, 0x01)
const COORDINATE_BYTES = 32
const ED25519_BYTES = 32

/** What the fragment of a key has behind it where the key is written as a `Multikey`. */
export const MULTIKEY_SUFFIX = '-multikey'

/** A key of the chain in the original's form. `spec/did.md` 9 */
export function originalMethod(did: string, method: DidMethod, chainId: number): OriginalVerificationMethod {
  const base = baseOf(did, method)
  return method.type === RECOVERY_TYPE
    ? { ...base, blockchainAccountId: accountId(method, chainId) }
    : { ...base, publicKeyHex: hexFromBytes(method.publicKey) }
}

/**
 * A key of the chain as W3C verification methods, the one of its own type first; none where the bytes are no key, since
 * nothing can be verified with them. DID Core 5.2.1 forbids two ways of writing a key in one method, so that there is a
 * method for each. `spec/did.md` 9
 */
export function verificationMethods(did: string, method: DidMethod, chainId: number): readonly VerificationMethod[] {
  const base = baseOf(did, method)
  const { type, publicKey } = method
  if (type === RECOVERY_TYPE) return [{ ...base, blockchainAccountId: accountId(method, chainId) }]
  if (type === ED25519_TYPE) {
    if (publicKey.length !== ED25519_BYTES) return []
    return [{ ...base, publicKeyBase58: base58btc.baseEncode(publicKey) }, multikey(base, ED25519_PUB, publicKey)]
  }
  const publicKeyJwk = findJwk(publicKey)
  return publicKeyJwk ? [{ ...base, publicKeyJwk }, multikey(base, SECP256K1_PUB, publicKey)] : []
}

type Base = Pick<VerificationMethod, 'id' | 'type' | 'controller'>

function baseOf(did: string, { id, type, controller }: DidMethod): Base {
  return { id: `${did}#${id}`, type, controller: didFromId(controller) }
}

/** CAIP-10. */
function accountId({ publicKey }: DidMethod, chainId: number): string {
  return `eip155:${chainId}:${hexFromBytes(publicKey)}`
}

function multikey({ id, controller }: Base, prefix: Uint8Array, publicKey: Uint8Array): VerificationMethod {
  const publicKeyMultibase = base58btc.encode(concatBytes(prefix, publicKey))
  return { id: `${id}${MULTIKEY_SUFFIX}`, type: 'Multikey', controller, publicKeyMultibase }
}

function findJwk(publicKey: Uint8Array): Secp256k1Jwk | undefined {
  const point = findPoint(publicKey)
  if (!point) return undefined
  const [x, y] = [1, 1 + COORDINATE_BYTES].map((start) => point.subarray(start, start + COORDINATE_BYTES)) as [
    Uint8Array,
    Uint8Array,
  ]
  return { kty: 'EC', crv: 'secp256k1', x: base64url.baseEncode(x), y: base64url.baseEncode(y) }
}

/** The point of a compressed key: 0x04 ‖ x ‖ y. */
function findPoint(publicKey: Uint8Array): Uint8Array | undefined {
  try {
    return secp256k1.Point.fromBytes(publicKey).toBytes(false)
  } catch {
    return undefined // not on the curve, or not the length of a key
  }
}
