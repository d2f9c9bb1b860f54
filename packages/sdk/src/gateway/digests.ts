import { concatBytes, keccak256, uint64le, utf8 } from '@memo/core'

/**
 * Digest that a DID signs for a restricted call: keccak(did ‖ token ‖ requestID as 8 bytes little endian), or with a
 * payload keccak(did ‖ token ‖ payload ‖ requestID) (`spec/login.md` 3). No prefix; `payload` is exactly 32 bytes.
 */
export function restrictedDigest(did: string, token: Uint8Array, requestId: number, payload?: Uint8Array): Uint8Array {
  return keccak256(concatBytes(utf8(did), token, payload ?? new Uint8Array(0), uint64le(requestId)))
}
