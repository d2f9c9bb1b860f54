import {
  type Address,
  decodeCbor,
  encodeCbor,
  equalBytes,
  findBytesFromHex,
  hex32,
  hexFromBytes,
  isCount,
  isTime,
} from '../bytes/index.ts'
import { assert, BadInputError } from '../errors/index.ts'
import {
  compressPublicKey,
  type Network,
  PUBLIC_KEY_BYTES,
  SIGNATURE_BYTES,
  unwrapKey,
  wrapKey,
} from '../keys/index.ts'
import type { WrappedKey } from '../manifest/index.ts'
import { type Placement, placementFromPlain, placementToPlain } from '../placement/index.ts'
import { CONTENT_KEY_BYTES, openBox, sealBox } from '../seal/index.ts'
import { MAX_PART_BYTES } from '../stripe/index.ts'
import { continuesLog, decodeSignedEntry, type SignedEntry, ZERO_HASH } from './entry.ts'

/** A stretch of a log that an earlier checkpoint holds, and where that one is stored. */
export type CheckpointLink = {
  /** Numbers of its first and its last entry. */
  readonly from: number
  readonly seq: number
  /** Of its last entry. */
  readonly hash: Uint8Array
  readonly placement: Placement
}

/** An entry as its writer signed it; {@link joinCheckpoints} checks it. */
export type EntryBytes = Pick<SignedEntry, 'bytes' | 'signature'>

/** Entries `from` to `seq` of one log, with all that is needed to read the objects that they put (`spec/checkpoint.md` 6). */
export type Checkpoint = {
  readonly did: string
  readonly writer: Address
  readonly from: number
  readonly seq: number
  /** Unix seconds at which it was written. */
  readonly time: number
  readonly entries: readonly EntryBytes[]
  /** Where the parts of the objects lay that were live then. */
  readonly placements: readonly Placement[]
  /** The checkpoints of the entries before `from`, in order and without gaps. */
  readonly links: readonly CheckpointLink[]
}

/** A log as checkpoints show it. */
export type CheckpointedLog = {
  /** From the first one on. */
  readonly entries: readonly SignedEntry[]
  /** By part id, 64 hex digits; the newest one of each. */
  readonly placements: ReadonlyMap<string, Placement>
}

const BOX_CONTEXT = 'memo-checkpoint-v1'
const NONCE_BYTES = 12
const HASH_BYTES = 32
const MAX_DID_CHARS = 256
/** Keys that one is sealed for at the most. */
export const MAX_CHECKPOINT_READERS = 64
/** Checkpoints that one names, each of up to 64 MiB. */
export const MAX_CHECKPOINT_LINKS = 1_024

/** Seals a checkpoint for `readers` (public keys), so that its stored bytes and one of their keys are enough. */
export function sealCheckpoint(
  checkpoint: Checkpoint,
  readers: readonly Uint8Array[],
  random: (length: number) => Uint8Array,
): Uint8Array {
  assert(readers.length <= MAX_CHECKPOINT_READERS, 'more readers of a checkpoint than anybody would take')
  const key = random(CONTENT_KEY_BYTES)
  const box = sealBox(key, random(NONCE_BYTES), encodeCbor(checkpointToPlain(checkpoint)), BOX_CONTEXT)
  const keys = readers.map((reader) => [compressPublicKey(reader), wrapKey(reader, key, random)])
  return encodeCbor({ v: 1, box, keys })
}

/**
 * Opens the stored bytes of a checkpoint with the key pair of one of its readers; undefined when it is sealed for others
 * only. What it says of itself is checked, its entries are not. Errors: {@link BadInputError}.
 */
export function openCheckpoint(
  stored: Uint8Array,
  reader: { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array },
): Checkpoint | undefined {
  const { box, keys } = envelopeFrom(stored)
  const own = keys.find((key) => equalBytes(key.reader, compressPublicKey(reader.publicKey)))
  if (!own) return undefined
  const key = unwrapKey(reader.secretKey, own.wrapped)
  if (key.length !== CONTENT_KEY_BYTES) throw new BadInputError('a checkpoint with a key of another length')
  return decodeCheckpoint(openBox(key, box, BOX_CONTEXT))
}

/** The first entry of the log that checkpoint 1 of it shows. Errors: {@link BadInputError}. */
export function firstEntryOf(network: Network, first: Checkpoint): SignedEntry {
  const [bytes] = first.entries
  if (!bytes || first.from !== 1) throw new BadInputError('a checkpoint that does not show the beginning of its log')
  const signed = decodeSignedEntry(network, bytes.bytes, bytes.signature)
  assertOfLog(first, signed)
  if (!continuesLog(undefined, signed.entry)) throw new BadInputError('a log that does not begin with its first entry')
  return signed
}

/**
 * The log up to `head`, from its newest checkpoint and the earlier ones that this names: every link, hash and signature is
 * checked (`spec/checkpoint.md` 9). Errors: {@link BadInputError}.
 */
export function joinCheckpoints(
  network: Network,
  head: { readonly did: string; readonly writer: Address; readonly seq: number; readonly hash: Uint8Array },
  newest: Checkpoint,
  earlier: readonly Checkpoint[],
): CheckpointedLog {
  if (earlier.length !== newest.links.length) throw new BadInputError('a checkpoint without all that it names')
  const all = [...earlier, newest]
  const ends = [...newest.links, head]
  const entries: SignedEntry[] = []
  const placements = new Map<string, Placement>()
  for (const [i, checkpoint] of all.entries()) {
    const { did, writer, from, seq } = checkpoint
    const end = ends[i]!
    if (did !== head.did || writer !== head.writer) throw new BadInputError('a checkpoint of another log')
    if (from !== entries.length + 1 || seq !== end.seq) throw new BadInputError('a checkpoint of other entries')
    for (const { bytes, signature } of checkpoint.entries) {
      const signed = decodeSignedEntry(network, bytes, signature)
      assertOfLog(head, signed)
      const last = entries.at(-1)
      if (!continuesLog(last && { seq: last.entry.seq, hash: last.hash }, signed.entry)) {
        throw new BadInputError('entries in a checkpoint that do not follow each other')
      }
      entries.push(signed)
    }
    if (!equalBytes(entries.at(-1)?.hash ?? ZERO_HASH, end.hash)) {
      throw new BadInputError('a checkpoint whose last entry is not the one that was named')
    }
    for (const placement of checkpoint.placements) placements.set(hex32(placement.partId), placement)
  }
  return { entries, placements }
}

function assertOfLog(log: { readonly did: string; readonly writer: Address }, { entry }: SignedEntry): void {
  if (entry.did !== log.did || entry.writer !== log.writer) throw new BadInputError('an entry of another log')
}

function envelopeFrom(stored: Uint8Array): { readonly box: Uint8Array; readonly keys: readonly WrappedKey[] } {
  if (stored.length > MAX_PART_BYTES) throw new BadInputError('a checkpoint that is too large')
  const { v, box, keys } = decodeRecord(stored)
  if (v !== 1) throw new BadInputError('a checkpoint of an unknown version')
  if (!(box instanceof Uint8Array) || !Array.isArray(keys) || keys.length > MAX_CHECKPOINT_READERS) {
    throw new BadInputError('a malformed checkpoint')
  }
  return {
    box,
    keys: keys.map((key) => {
      const [reader, wrapped, ...more] = Array.isArray(key) ? key : []
      if (!isBytes(reader, PUBLIC_KEY_BYTES) || !(wrapped instanceof Uint8Array) || more.length > 0) {
        throw new BadInputError('a checkpoint with a malformed reader')
      }
      return { reader, wrapped }
    }),
  }
}

function checkpointToPlain(checkpoint: Checkpoint): unknown {
  const { did, writer, from, seq, time, entries, placements, links } = checkpoint
  return {
    v: 1,
    did,
    writer: findBytesFromHex(writer, 20),
    from,
    seq,
    time,
    entries: entries.map(({ bytes, signature }) => [bytes, signature]),
    parts: placements.map(placementToPlain),
    links: links.map((link) => [link.from, link.seq, link.hash, placementToPlain(link.placement)]),
  }
}

function decodeCheckpoint(bytes: Uint8Array): Checkpoint {
  const { v, did, writer, from, seq, time, entries, parts, links } = decodeRecord(bytes)
  if (v !== 1) throw new BadInputError('a checkpoint of an unknown version')
  if (typeof did !== 'string' || did.length > MAX_DID_CHARS || !isBytes(writer, 20)) {
    throw new BadInputError('a checkpoint without DID or writer')
  }
  if (!isCount(from, 1) || !isCount(seq, from) || !isTime(time)) {
    throw new BadInputError('a checkpoint without numbers or time')
  }
  if (!Array.isArray(entries) || entries.length !== seq - from + 1) {
    throw new BadInputError('a checkpoint with other entries than it says')
  }
  if (!Array.isArray(parts) || !Array.isArray(links) || links.length > MAX_CHECKPOINT_LINKS) {
    throw new BadInputError('a checkpoint with bad parts or links')
  }
  const checkpoint: Checkpoint = {
    did,
    writer: hexFromBytes(writer),
    from,
    seq,
    time,
    entries: entries.map(entryFromPlain),
    placements: parts.map(placementFromPlain),
    links: links.map(linkFromPlain),
  }
  assertNoGaps(checkpoint)
  if (!equalBytes(encodeCbor(checkpointToPlain(checkpoint)), bytes)) {
    throw new BadInputError('a checkpoint with unknown fields')
  }
  return checkpoint
}

/** Each begins where the one before ends: so none can name itself, or one that names it. */
function assertNoGaps({ links, from }: Checkpoint): void {
  let next = 1
  for (const link of links) {
    if (link.from !== next) throw new BadInputError('a checkpoint whose links leave gaps')
    next = link.seq + 1
  }
  if (from !== next) throw new BadInputError('a checkpoint whose links leave gaps')
}

function entryFromPlain(plain: unknown): EntryBytes {
  const [bytes, signature] = Array.isArray(plain) ? plain : []
  if (!(bytes instanceof Uint8Array) || !isBytes(signature, SIGNATURE_BYTES)) {
    throw new BadInputError('a checkpoint with a malformed entry')
  }
  return { bytes, signature }
}

function linkFromPlain(plain: unknown): CheckpointLink {
  const [from, seq, hash, placement] = Array.isArray(plain) ? plain : []
  if (!isCount(from, 1) || !isCount(seq, from) || !isBytes(hash, HASH_BYTES)) {
    throw new BadInputError('a checkpoint with a malformed link')
  }
  return { from, seq, hash, placement: placementFromPlain(placement) }
}

function decodeRecord(bytes: Uint8Array): Record<string, unknown> {
  try {
    return (decodeCbor(bytes) ?? {}) as Record<string, unknown>
  } catch (cause) {
    throw new BadInputError('a checkpoint is not dag-cbor', { cause })
  }
}

function isBytes(value: unknown, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length
}
