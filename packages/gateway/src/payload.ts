import { createHash } from 'node:crypto'
import { type ByteStream, digestFromCid, equalBytes } from '@memo/core'
import { createKeccak, type IHasher } from 'hash-wasm'
import { ApiError } from './errors.ts'

/** Compares a file, as it streams by, with the digest that its uploader signed. */
export type PayloadCheck = {
  /** The same bytes, hashed on their way. */
  watch(file: ByteStream): ByteStream
  /** To be called once the file has ended. Errors: {@link ApiError} 516 when it is another file than was signed. */
  assertMatches(cid: string): void
}

/**
 * A check against `payload` (`spec/login.md` 7). `kind` says which digest of the file that is: `keccak256`, `sha256` or
 * `cid`; without it any of the three may match. Errors: {@link ApiError} 516 for another kind.
 */
export async function createPayloadCheck(payload: Uint8Array, kind: string | undefined): Promise<PayloadCheck> {
  if (kind !== undefined && kind !== 'keccak256' && kind !== 'sha256' && kind !== 'cid') {
    throw new ApiError(516, `payloadHash is keccak256, sha256 or cid, not ${kind.slice(0, 40)}`)
  }
  const sha256 = kind === undefined || kind === 'sha256' ? createHash('sha256') : undefined
  const keccak: IHasher | undefined =
    kind === undefined || kind === 'keccak256' ? (await createKeccak(256)).init() : undefined
  return {
    async *watch(file) {
      for await (const bytes of file) {
        sha256?.update(bytes)
        keccak?.update(bytes)
        yield bytes
      }
    },
    assertMatches(cid) {
      const digests: Uint8Array[] = []
      if (kind === undefined || kind === 'cid') digests.push(digestFromCid(cid))
      if (sha256) digests.push(sha256.digest())
      if (keccak) digests.push(keccak.digest('binary'))
      if (!digests.some((digest) => equalBytes(digest, payload))) {
        throw new ApiError(516, 'the signed payload is not the hash of the file that arrived')
      }
    },
  }
}
