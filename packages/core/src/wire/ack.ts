import { type Address, equalBytes, findAddress, findBytesFromHex, hexFromBytes } from '../bytes/index.ts'
import { findSignerAddress, type Network, type Signer, type TypedStruct, typedDigest } from '../keys/index.ts'
import type { SignedEntry } from '../log/index.ts'

/**
 * A keeper's signed word that it keeps an index entry, the placements it names, and everything before it
 * (`spec/wire.md` 7). Two acknowledgements of different entries with one number convict the keeper.
 */
export type IndexAck = {
  readonly keeper: Address
  readonly did: string
  readonly writer: Address
  readonly seq: number
  readonly entryHash: Uint8Array
  readonly signature: Uint8Array
}

const ACK_STRUCT: TypedStruct = {
  name: 'IndexAck',
  fields: [
    ['did', 'string'],
    ['writer', 'address'],
    ['seq', 'uint64'],
    ['entryHash', 'bytes32'],
  ],
}

export async function signAck(network: Network, signed: SignedEntry, signer: Signer): Promise<IndexAck> {
  const { did, writer, seq } = signed.entry
  const terms = { did, writer, seq, entryHash: signed.hash }
  const signature = await signer.signDigest(typedDigest(network, ACK_STRUCT, terms))
  return { ...terms, keeper: signer.address, signature }
}

/** Whether `ack` is the acknowledgement of `signed` by the keeper that it names. */
export function isAckOf(network: Network, signed: SignedEntry, ack: IndexAck): boolean {
  const { did, writer, seq } = signed.entry
  const isSame = ack.did === did && ack.writer === writer && ack.seq === seq && equalBytes(ack.entryHash, signed.hash)
  const digest = typedDigest(network, ACK_STRUCT, { did, writer, seq, entryHash: signed.hash })
  return isSame && findSignerAddress(digest, ack.signature) === ack.keeper
}

/** Acknowledgements that make an entry durable: two thirds of `keepers`, rounded up, never none (`spec/objects.md` 8). */
export function ackQuorumOf(keepers: number): number {
  return Math.max(1, Math.ceil((2 * keepers) / 3))
}

export function ackToJson(ack: IndexAck): unknown {
  return { ...ack, entryHash: hexFromBytes(ack.entryHash), signature: hexFromBytes(ack.signature) }
}

/** Parses {@link ackToJson}; undefined when it is none. The signature is not checked here. */
export function findAckFromJson(value: unknown): IndexAck | undefined {
  const { keeper, did, writer, seq, entryHash, signature } = (value ?? {}) as Record<string, unknown>
  const fields = {
    keeper: findAddress(keeper),
    writer: findAddress(writer),
    entryHash: findBytesFromHex(entryHash, 32),
    signature: findBytesFromHex(signature, 65),
  }
  if (!fields.keeper || !fields.writer || !fields.entryHash || !fields.signature) return undefined
  if (typeof did !== 'string' || !Number.isSafeInteger(seq) || (seq as number) < 1) return undefined
  return {
    keeper: fields.keeper,
    did,
    writer: fields.writer,
    seq: seq as number,
    entryHash: fields.entryHash,
    signature: fields.signature,
  }
}
