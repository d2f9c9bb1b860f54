import { secp256k1 } from '@noble/curves/secp256k1.js'
import { numberToBytesBE } from '@noble/curves/utils.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { primitives } from '#primitives'
import { type Address, hexFromBytes } from '../bytes/index.ts'
import { BadInputError } from '../errors/index.ts'

export const SIGNATURE_BYTES = 65
export const PUBLIC_KEY_BYTES = 33
export const SECRET_KEY_BYTES = 32

/** Half of the curve order, big endian: a larger s is the malleable twin of a signature and is refused. */
const HALF_ORDER: Uint8Array = numberToBytesBE(secp256k1.Point.Fn.ORDER / 2n, 32)

/** A key that signs without showing itself. */
export type Signer = {
  readonly address: Address
  /** Compressed, 33 bytes. */
  readonly publicKey: Uint8Array
  /** Signs a 32-byte digest: r‖s‖v with v 27 or 28. */
  signDigest(digest: Uint8Array): Promise<Uint8Array>
}

/** The 33-byte form of a public key in either form. */
export function compressPublicKey(publicKey: Uint8Array): Uint8Array {
  if (publicKey.length === PUBLIC_KEY_BYTES) return publicKey
  const out = new Uint8Array(PUBLIC_KEY_BYTES)
  out[0] = 2 + ((publicKey[64] ?? 0) & 1)
  out.set(publicKey.subarray(1, 33), 1)
  return out
}

/** Whether `publicKey` is a secp256k1 public key, in 33 or 65 bytes. */
export function isPublicKey(publicKey: Uint8Array): boolean {
  return primitives.secp256k1IsPublicKey(publicKey)
}

/** Keccak-256 of `data`. */
export function keccak256(data: Uint8Array): Uint8Array {
  return keccak_256(data)
}

/** The account address of a secp256k1 public key (33 or 65 bytes). Errors: {@link BadInputError} when it is none. */
export function addressFromPublicKey(publicKey: Uint8Array): Address {
  const point = publicKey.length === 65 && publicKey[0] === 4 ? publicKey : decompress(publicKey)
  return hexFromBytes(keccak_256(point.subarray(1)).subarray(12))
}

function decompress(publicKey: Uint8Array): Uint8Array {
  try {
    return secp256k1.Point.fromBytes(publicKey).toBytes(false)
  } catch (cause) {
    throw new BadInputError('not a secp256k1 public key', { cause })
  }
}

/** A signer over a secret key in memory. Errors: {@link BadInputError} when it is no secp256k1 key. */
export function createKeySigner(secretKey: Uint8Array): Signer {
  if (!secp256k1.utils.isValidSecretKey(secretKey)) throw new BadInputError('not a secp256k1 secret key')
  const key = secretKey.slice()
  const publicKey = secp256k1.getPublicKey(key, true)
  return {
    address: addressFromPublicKey(publicKey),
    publicKey,
    async signDigest(digest) {
      const signature = primitives.secp256k1Sign(digest, key)
      signature[64] = (signature[64] ?? 0) + 27
      return signature
    },
  }
}

/**
 * The uncompressed (65-byte) public key that signed `digest`; undefined for anything that is not exactly one valid, low-s
 * signature of 65 bytes (v 0, 1, 27 or 28).
 */
export function findSignerKey(digest: Uint8Array, signature: Uint8Array): Uint8Array | undefined {
  return findSigner(digest, signature)?.publicKey.slice()
}

/** The address that signed `digest`, or undefined (see {@link findSignerKey}). */
export function findSignerAddress(digest: Uint8Array, signature: Uint8Array): Address | undefined {
  return findSigner(digest, signature)?.address
}

type SignerFound = { readonly publicKey: Uint8Array; readonly address: Address }

/**
 * Signers of signatures that were valid. The same entry or receipt comes back from keepers, feeds and stores, and the way
 * from a signature to its signer costs more than all else that is checked of it. What is no signature is not remembered,
 * so that nobody can drive out what is by sending nonsense.
 */
const knownSigners = new Map<string, SignerFound>()
const MAX_KNOWN_SIGNERS = 8_192

function findSigner(digest: Uint8Array, signature: Uint8Array): SignerFound | undefined {
  if (digest.length !== 32 || signature.length !== SIGNATURE_BYTES || isHighS(signature)) return undefined
  const v = signature[64]!
  const normal = signature.slice()
  normal[64] = v >= 27 ? v - 27 : v
  // Both in full: whoever signed one digest has said nothing of another.
  const key = String.fromCharCode(...digest, ...normal)
  const known = knownSigners.get(key)
  if (known) return known
  const publicKey = primitives.secp256k1Recover(digest, normal)
  if (!publicKey) return undefined
  const found = { publicKey, address: addressFromPublicKey(publicKey) }
  knownSigners.set(key, found)
  const oldest = knownSigners.size > MAX_KNOWN_SIGNERS ? knownSigners.keys().next().value : undefined
  if (oldest !== undefined) knownSigners.delete(oldest)
  return found
}

/** Whether s is in the upper half of the order: the twin of a signature, which whoever sees that one can make. */
function isHighS(signature: Uint8Array): boolean {
  for (let i = 0; i < HALF_ORDER.length; i++) {
    const difference = signature[32 + i]! - HALF_ORDER[i]!
    if (difference !== 0) return difference > 0
  }
  return false
}
