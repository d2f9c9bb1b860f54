import { primitives } from '#primitives'
import { type Address, concatBytes, isCount, uint64be, utf8 } from '../bytes/index.ts'

/** What a stamp is for: nothing else takes it. */
export type HashcashPurpose = 'apply' | 'did'

/** What a stamp is bound to. */
export type HashcashTerms = {
  readonly chainId: number
  /** Account of the gateway that asks for the stamp. */
  readonly gateway: Address
  readonly purpose: HashcashPurpose
  /** Whom it is about: a DID. */
  readonly subject: string
  /** Stretch of time, of {@link HASHCASH_BUCKET_SECONDS}. */
  readonly bucket: number
  /** How many stamps the subject has used in this stretch: each challenge is good for one. */
  readonly series: number
}

/** A challenge is new every ten minutes. */
export const HASHCASH_BUCKET_SECONDS = 600
/** More would keep a browser busy for hours. */
export const MAX_HASHCASH_BITS = 40

const CONTEXT = 'memo-hashcash-v1'

/** What is to be stamped (`spec/gateway.md` 17): SHA-256 over the terms, one to a line. */
export function hashcashChallenge(terms: HashcashTerms): Uint8Array {
  const { chainId, gateway, purpose, subject, bucket, series } = terms
  const lines = [CONTEXT, chainId, gateway, purpose, encodeURIComponent(subject), bucket, series]
  return primitives.sha256(utf8(lines.join('\n')))
}

/** Whether SHA-256(challenge ‖ counter as 8 bytes big endian) begins with `bits` zero bits. */
export function isHashcash(challenge: Uint8Array, counter: number, bits: number): boolean {
  return isCount(counter) && leadingZeroBits(primitives.sha256(concatBytes(challenge, uint64be(counter)))) >= bits
}

/**
 * The first counter from `from` on that stamps the challenge, of `tries`; undefined when there is none among them. It
 * takes 2^bits tries on average: who must not be held up asks for a few thousand at a time.
 */
export function findHashcash(challenge: Uint8Array, bits: number, from: number, tries: number): number | undefined {
  const message = concatBytes(challenge, uint64be(0))
  const view = new DataView(message.buffer, message.byteOffset + challenge.length)
  const digest = new Uint8Array(32)
  for (let counter = from; counter < from + tries; counter++) {
    view.setBigUint64(0, BigInt(counter))
    primitives.sha256Into(message, digest, 0)
    if (leadingZeroBits(digest) >= bits) return counter
  }
  return undefined
}

function leadingZeroBits(digest: Uint8Array): number {
  const byte = digest.findIndex((value) => value !== 0)
  return byte < 0 ? digest.length * 8 : byte * 8 + Math.clz32(digest[byte] ?? 0) - 24
}
