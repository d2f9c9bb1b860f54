import { type Address, contractDigest, type TypedStruct, type Verifier } from '@memo/core'
import { keccak256, toBytes } from 'viem'

/** The last state of one log of a DID. `spec/checkpoint.md` 1 */
export type CheckpointMessage = {
  /** Id of the Memo DID, as it is given in the call. */
  readonly did: string
  readonly writer: Address
  readonly seq: bigint
  readonly hash: Uint8Array
  /** Where the index is stored, as `spec/objects.md` 6 has it. */
  readonly placement: Uint8Array
}

const CHECKPOINT: TypedStruct = {
  name: 'Checkpoint',
  fields: [
    ['did', 'string'],
    ['writer', 'address'],
    ['seq', 'uint64'],
    ['hash', 'bytes32'],
    ['placementHash', 'bytes32'],
  ],
}

/** Digest that a key of the DID signs; the verifier is the contract of checkpoints. `spec/checkpoint.md` 3 */
export function checkpointDigest(verifier: Verifier, { placement, ...checkpoint }: CheckpointMessage): Uint8Array {
  return contractDigest(verifier, CHECKPOINT, { ...checkpoint, placementHash: toBytes(keccak256(placement)) })
}
