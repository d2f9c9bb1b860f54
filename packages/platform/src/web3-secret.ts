import { createCipheriv, createDecipheriv, pbkdf2, randomBytes, randomUUID, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import {
  BadInputError,
  concatBytes,
  createKeySigner,
  findBytesFromHex,
  keccak256,
  MemoError,
  SECRET_KEY_BYTES,
} from '@memo/core'
import { scryptAsync } from '@noble/hashes/scrypt.js'

/** The password does not open the key. */
export class WrongPasswordError extends MemoError {
  override readonly name: string = 'WrongPasswordError'
  constructor(where: string) {
    super(`the password does not open ${where}`, {
      blame: 'user',
      retry: 'never',
      fix: 'Give the password that the key was saved with; it cannot be recovered.',
    })
  }
}

/** A file that is no key file of Web3 Secret Storage version 3, or asks for more work than is sound. */
export class BadKeyFileError extends BadInputError {
  override readonly name: string = 'BadKeyFileError'
}

const CIPHER = 'aes-128-ctr'
const DERIVED_BYTES = 32
const SCRYPT_R = 8
const SCRYPT_P = 1
/** A file may not make us spend more: 2^20 · 8 · 128 bytes are 1 GiB. */
const MAX_SCRYPT_N = 1_048_576
const MAX_SCRYPT_R = 16
const MAX_SCRYPT_P = 16
const MAX_PBKDF2_ROUNDS = 10_000_000

const runScrypt = promisify<string, Uint8Array, number, object, Uint8Array>(scrypt)
const runPbkdf2 = promisify(pbkdf2)

/**
 * Encrypts a secret key as Web3 Secret Storage version 3 (scrypt, AES-128-CTR, keccak MAC), which wallets read.
 * `scryptN` is the cost, a power of two. Returns JSON text.
 */
export async function encryptKeyFile(secretKey: Uint8Array, password: string, scryptN: number): Promise<string> {
  const { address } = createKeySigner(secretKey)
  const salt = randomBytes(32)
  const iv = randomBytes(16)
  const derived = await deriveScrypt(password, salt, { n: scryptN, r: SCRYPT_R, p: SCRYPT_P })
  const cipher = createCipheriv(CIPHER, derived.subarray(0, 16), iv)
  const ciphertext = Buffer.concat([cipher.update(secretKey), cipher.final()])
  const file = {
    version: 3,
    id: randomUUID(),
    address: address.slice(2),
    crypto: {
      cipher: CIPHER,
      cipherparams: { iv: iv.toString('hex') },
      ciphertext: ciphertext.toString('hex'),
      kdf: 'scrypt',
      kdfparams: { dklen: DERIVED_BYTES, n: scryptN, r: SCRYPT_R, p: SCRYPT_P, salt: salt.toString('hex') },
      mac: Buffer.from(macOf(derived, ciphertext)).toString('hex'),
    },
  }
  return `${JSON.stringify(file, null, 2)}\n`
}

/**
 * Decrypts a key file of version 3, with scrypt or PBKDF2 as wallets write it. `where` names the file in errors.
 * Errors: {@link WrongPasswordError}, {@link BadKeyFileError}.
 */
export async function decryptKeyFile(text: string, password: string, where: string): Promise<Uint8Array> {
  const crypto = parse(text, where)
  const derived = await derive(crypto, password, where)
  const ciphertext = hexField(crypto.ciphertext, SECRET_KEY_BYTES, where)
  if (!timingSafeEqual(macOf(derived, ciphertext), hexField(crypto.mac, 32, where))) {
    throw new WrongPasswordError(where)
  }
  const iv = hexField(record(crypto.cipherparams).iv, 16, where)
  const decipher = createDecipheriv(CIPHER, derived.subarray(0, 16), iv)
  return concatBytes(decipher.update(ciphertext), decipher.final())
}

function parse(text: string, where: string): Record<string, unknown> {
  let file: Record<string, unknown>
  try {
    file = record(JSON.parse(text))
  } catch {
    throw new BadKeyFileError(`${where} is no key file`) // without the cause: its message quotes the file
  }
  const crypto = record(file.crypto ?? file.Crypto)
  if (file.version !== 3 || crypto.cipher !== CIPHER) {
    throw new BadKeyFileError(`${where} is not a key file of version 3 with ${CIPHER}`)
  }
  return crypto
}

async function derive(crypto: Record<string, unknown>, password: string, where: string): Promise<Uint8Array> {
  const { kdf } = crypto
  const { dklen, salt, n, r, p, c, prf } = record(crypto.kdfparams)
  const saltBytes = hexField(salt, undefined, where)
  if (dklen !== DERIVED_BYTES) throw new BadKeyFileError(`${where} derives a key of another length`)
  if (
    kdf === 'scrypt' &&
    isPowerOfTwo(n) &&
    isUpTo(n, MAX_SCRYPT_N) &&
    isUpTo(r, MAX_SCRYPT_R) &&
    isUpTo(p, MAX_SCRYPT_P)
  ) {
    return await deriveScrypt(password, saltBytes, { n, r, p })
  }
  if (kdf === 'pbkdf2' && prf === 'hmac-sha256' && isUpTo(c, MAX_PBKDF2_ROUNDS)) {
    return await runPbkdf2(password, saltBytes, c, DERIVED_BYTES, 'sha256')
  }
  throw new BadKeyFileError(`${where} derives its key in an unknown or unsound way`)
}

type ScryptCost = { readonly n: number; readonly r: number; readonly p: number }

async function deriveScrypt(password: string, salt: Uint8Array, { n, r, p }: ScryptCost): Promise<Uint8Array> {
  // OpenSSL refuses what some early wallets chose, N ≥ 2^(16·r), though it is well defined.
  if (n >= 2 ** (16 * r)) return await scryptAsync(password, salt, { N: n, r, p, dkLen: DERIVED_BYTES })
  // OpenSSL counts a little more than the 128·N·r bytes that the algorithm names.
  const maxmem = 128 * r * (n + p + 2) + 1_048_576
  return await runScrypt(password, salt, DERIVED_BYTES, { N: n, r, p, maxmem })
}

function macOf(derived: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  return keccak256(concatBytes(derived.subarray(16, 32), ciphertext))
}

function hexField(value: unknown, length: number | undefined, where: string): Uint8Array {
  const bytes =
    typeof value === 'string' ? findBytesFromHex(value.startsWith('0x') ? value : `0x${value}`, length) : undefined
  if (!bytes) throw new BadKeyFileError(`${where} is a malformed key file`)
  return bytes
}

function isUpTo(value: unknown, most: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most
}

/** What scrypt can work with: 2, 4, 8 … */
function isPowerOfTwo(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 1 && Number.isInteger(Math.log2(value as number))
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
