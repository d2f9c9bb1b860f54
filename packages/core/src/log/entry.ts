import { primitives } from '#primitives'
import {
  type Address,
  concatBytes,
  decodeCbor,
  encodeCbor,
  equalBytes,
  findBytesFromHex,
  hexFromBytes,
  isCount,
  isTime,
  uint64le,
  utf8,
} from '../bytes/index.ts'
import { BadInputError } from '../errors/index.ts'
import {
  findSignerAddress,
  keccak256,
  type Network,
  SIGNATURE_BYTES,
  type Signer,
  type TypedStruct,
  typedDigest,
} from '../keys/index.ts'
import { envelopeFromPlain, envelopeToPlain, type ManifestEnvelope } from '../manifest/index.ts'

/** The login of a DID at the writer: what lets a gateway write for it (`spec/objects.md` 7). */
export type LoginEvidence = {
  readonly token: Uint8Array
  /** Unix seconds. */
  readonly timestamp: number
  readonly signature: Uint8Array
}

/** What an entry does. */
export type LogAction =
  | {
      readonly kind: 'put'
      readonly isPublic: boolean
      /** Only of public objects, so that they are found by it. */
      readonly cid: string | undefined
      readonly sizeBytes: number
      readonly partIds: readonly Uint8Array[]
      readonly manifest: ManifestEnvelope
    }
  | { readonly kind: 'delete'; readonly writer: Address; readonly seq: number }

/**
 * One step of a DID's index: an append-only log per (DID, writer), hash-linked and signed by its writer, which is a
 * key of the DID or an account that the DID logged in to.
 */
export type LogEntry = {
  readonly did: string
  readonly writer: Address
  /** From 1, without gaps. */
  readonly seq: number
  /** Hash of the entry before; zeros for the first. */
  readonly previous: Uint8Array
  /** Unix seconds. */
  readonly time: number
  /** In the first entry of a writer that is no key of the DID. */
  readonly evidence: LoginEvidence | undefined
  readonly action: LogAction
}

/** An entry with its exact bytes, its hash and its writer's signature. */
export type SignedEntry = {
  readonly entry: LogEntry
  readonly bytes: Uint8Array
  readonly hash: Uint8Array
  readonly signature: Uint8Array
}

export const ZERO_HASH: Uint8Array = new Uint8Array(32)
const ENTRY_DOMAIN = utf8('memo-entry-v1')
/** A manifest of 6 MiB, the ids of its 65,536 parts, its readers (`spec/objects.md` 7). */
const MAX_ENTRY_BYTES = 9_437_184
const MAX_DID_CHARS = 256
const MAX_CID_CHARS = 200
const MAX_TOKEN_BYTES = 256

const ENTRY_STRUCT: TypedStruct = {
  name: 'IndexEntry',
  fields: [
    ['did', 'string'],
    ['writer', 'address'],
    ['seq', 'uint64'],
    ['entryHash', 'bytes32'],
  ],
}

/** Encodes and signs an entry. */
export async function signEntry(network: Network, entry: LogEntry, signer: Signer): Promise<SignedEntry> {
  const bytes = encodeCbor(entryToPlain(entry))
  const hash = hashEntry(bytes)
  return { entry, bytes, hash, signature: await signer.signDigest(entryDigest(network, entry, hash)) }
}

/** Parses an entry's bytes and checks that its writer signed it. Errors: {@link BadInputError}. */
export function decodeSignedEntry(network: Network, bytes: Uint8Array, signature: Uint8Array): SignedEntry {
  if (signature.length !== SIGNATURE_BYTES) throw new BadInputError('an index entry without a signature')
  const hash = hashEntry(bytes)
  const key = String.fromCharCode(...hash, ...signature)
  const known = goodEntries.get(network)?.get(key)
  if (known) return known
  // In memory of its own: that of a whole page would stay with what is remembered of it.
  const own = bytes.length <= MAX_REMEMBERED_BYTES ? bytes.slice() : bytes
  const entry = decodeEntry(own)
  if (findSignerAddress(entryDigest(network, entry, hash), signature) !== entry.writer) {
    throw new BadInputError('an index entry that its writer did not sign')
  }
  const signed = { entry, bytes: own, hash, signature: signature.slice() }
  if (bytes.length <= MAX_REMEMBERED_BYTES) remember(network, key, signed)
  return signed
}

/**
 * Entries that were good, by hash and signature: a keeper meets each one when it is handed in, in the feeds of all other
 * keepers, and in its own records. What is not good is not remembered.
 */
const goodEntries = new WeakMap<Network, Map<string, SignedEntry>>()
const MAX_REMEMBERED = 1_024
const MAX_REMEMBERED_BYTES = 8_192

function remember(network: Network, key: string, signed: SignedEntry): void {
  const entries = goodEntries.get(network) ?? new Map<string, SignedEntry>()
  goodEntries.set(network, entries)
  entries.set(key, signed)
  const oldest = entries.size > MAX_REMEMBERED ? entries.keys().next().value : undefined
  if (oldest !== undefined) entries.delete(oldest)
}

/** Whether `next` continues a log whose newest entry is `head` (undefined: the log is empty). */
export function continuesLog(
  head: { readonly seq: number; readonly hash: Uint8Array } | undefined,
  next: LogEntry,
): boolean {
  const previous = head?.hash ?? ZERO_HASH
  return next.seq === (head?.seq ?? 0) + 1 && hexFromBytes(next.previous) === hexFromBytes(previous)
}

/** Numbers from here on are times of a login, smaller ones numbers of calls, signed in the same form (`spec/login.md` 5). */
export const LEAST_LOGIN_TIMESTAMP: number = 2 ** 30

/** Digest that a DID signs to log in: keccak(did ‖ token ‖ timestamp as 8 bytes little endian) (`spec/login.md` 2). */
export function loginDigest(did: string, token: Uint8Array, timestamp: number): Uint8Array {
  return keccak256(concatBytes(utf8(did), token, uint64le(timestamp)))
}

function hashEntry(bytes: Uint8Array): Uint8Array {
  return primitives.sha256(concatBytes(ENTRY_DOMAIN, bytes))
}

function entryDigest(network: Network, entry: LogEntry, entryHash: Uint8Array): Uint8Array {
  return typedDigest(network, ENTRY_STRUCT, { did: entry.did, writer: entry.writer, seq: entry.seq, entryHash })
}

function entryToPlain(entry: LogEntry): unknown {
  const { evidence, action } = entry
  return {
    v: 1,
    did: entry.did,
    writer: findBytesFromHex(entry.writer, 20),
    seq: entry.seq,
    prev: entry.previous,
    time: entry.time,
    ...(evidence ? { login: [evidence.token, evidence.timestamp, evidence.signature] } : {}),
    ...(action.kind === 'put'
      ? {
          put: {
            public: action.isPublic,
            ...(action.cid === undefined ? {} : { cid: action.cid }),
            size: action.sizeBytes,
            parts: action.partIds,
            manifest: envelopeToPlain(action.manifest),
          },
        }
      : { delete: [findBytesFromHex(action.writer, 20), action.seq] }),
  }
}

function decodeEntry(bytes: Uint8Array): LogEntry {
  if (bytes.length > MAX_ENTRY_BYTES) throw new BadInputError('an index entry that is too large')
  let plain: Record<string, unknown>
  try {
    plain = (decodeCbor(bytes) ?? {}) as Record<string, unknown>
  } catch (cause) {
    throw new BadInputError('an index entry is not dag-cbor', { cause })
  }
  const { v, did, writer, seq, prev, time, login } = plain
  if (v !== 1) throw new BadInputError('an index entry of an unknown version')
  if (typeof did !== 'string' || did.length > MAX_DID_CHARS) throw new BadInputError('an index entry without a DID')
  if (!isBytes(writer, 20) || !isBytes(prev, 32)) throw new BadInputError('an index entry without writer or link')
  if (!isCount(seq) || seq < 1 || !isTime(time)) throw new BadInputError('an index entry without number or time')
  const entry: LogEntry = {
    did,
    writer: hexFromBytes(writer),
    seq,
    previous: prev,
    time,
    evidence: login === undefined ? undefined : evidenceFromPlain(login),
    action: actionFromPlain(plain),
  }
  // What no reader knows would be kept and carried by all keepers.
  if (!equalBytes(encodeCbor(entryToPlain(entry)), bytes)) throw new BadInputError('an index entry with unknown fields')
  return entry
}

function actionFromPlain(plain: Record<string, unknown>): LogAction {
  if (plain.delete !== undefined) {
    const [writer, seq] = Array.isArray(plain.delete) ? plain.delete : []
    if (!isBytes(writer, 20) || !isCount(seq)) throw new BadInputError('an index entry with a bad deletion')
    return { kind: 'delete', writer: hexFromBytes(writer), seq }
  }
  const put = (plain.put ?? {}) as Record<string, unknown>
  const { cid, size, parts, manifest } = put
  const isPublic = put.public === true
  if (!isCount(size) || !Array.isArray(parts) || !parts.every((part) => isBytes(part, 32))) {
    throw new BadInputError('an index entry with a bad object')
  }
  if (cid !== undefined && (typeof cid !== 'string' || cid.length > MAX_CID_CHARS || !isPublic)) {
    throw new BadInputError('only a public object shows its CID')
  }
  const envelope = envelopeFromPlain(manifest)
  return { kind: 'put', isPublic, cid, sizeBytes: size, partIds: parts, manifest: envelope }
}

function evidenceFromPlain(plain: unknown): LoginEvidence {
  const [token, timestamp, signature] = Array.isArray(plain) ? plain : []
  const isEvidence =
    token instanceof Uint8Array && token.length <= MAX_TOKEN_BYTES && isCount(timestamp) && isBytes(signature, 65)
  if (!isEvidence) throw new BadInputError('an index entry with malformed login evidence')
  return { token, timestamp, signature }
}

function isBytes(value: unknown, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length
}
