import { decodeCbor, encodeCbor, equalBytes, isCount, isTime, utf8 } from '../bytes/index.ts'
import { BadInputError } from '../errors/index.ts'
import { compressPublicKey, unwrapKey, wrapKey } from '../keys/index.ts'
import { CONTENT_KEY_BYTES, openBox, sealBox } from '../seal/index.ts'

/** A stretch of a part's stored bytes that belongs to an object. */
export type PartRange = {
  readonly partId: Uint8Array
  readonly offset: number
  readonly length: number
}

/** What an object means to its owner (`spec/objects.md` 5). Its stored bytes are its part ranges in a row. */
export type Manifest = {
  readonly name: string
  readonly contentType: string
  /** CID of the plaintext, canonical text. */
  readonly cid: string
  readonly sizeBytes: number
  /** Unix seconds. */
  readonly createdAt: number
  readonly isPublic: boolean
  /** Key of the sealed stream; undefined when the object is stored in clear. */
  readonly contentKey: Uint8Array | undefined
  readonly parts: readonly PartRange[]
  readonly metadata: Readonly<Record<string, string>>
}

/** A manifest as keepers carry it: sealed for its readers, or in clear for public objects. */
export type ManifestEnvelope =
  | { readonly kind: 'clear'; readonly manifest: Uint8Array }
  | { readonly kind: 'sealed'; readonly box: Uint8Array; readonly keys: readonly WrappedKey[] }

/** The manifest key, wrapped to one reader. */
export type WrappedKey = { readonly reader: Uint8Array; readonly wrapped: Uint8Array }

const BOX_CONTEXT = 'memo-manifest-v1'
const MAX_NAME_BYTES = 1_024
const MAX_TYPE_CHARS = 255
const MAX_CID_CHARS = 200
const MAX_PARTS = 65_536
const MAX_METADATA = 64
/** Encoded manifest at the most; with 65,536 parts of 64 MiB an object is 4 TiB. */
export const MAX_MANIFEST_BYTES = 6_291_456
const MAX_READERS = 64

/** dag-cbor of a manifest. Errors: {@link BadInputError} when a field is out of its bounds. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const { name, contentType, cid, sizeBytes, createdAt, isPublic, contentKey, parts, metadata } = manifest
  const bytes = encodeRecord({
    v: 1,
    name,
    type: contentType,
    cid,
    size: sizeBytes,
    time: createdAt,
    public: isPublic,
    key: contentKey ?? null,
    parts: parts.map((part) => [part.partId, part.offset, part.length]),
    meta: metadata,
  })
  decodeManifest(bytes)
  return bytes
}

/** Parses {@link encodeManifest}. Errors: {@link BadInputError}. */
export function decodeManifest(bytes: Uint8Array): Manifest {
  if (bytes.length > MAX_MANIFEST_BYTES) throw new BadInputError('a manifest that is too large')
  const plain = decodeRecord(bytes, 'manifest')
  const { v, name, type, cid, size, time, key, parts, meta } = plain
  if (v !== 1) throw new BadInputError('a manifest of an unknown version')
  if (typeof name !== 'string' || utf8(name).length > MAX_NAME_BYTES) {
    throw new BadInputError(`an object name is at most ${MAX_NAME_BYTES} bytes of UTF-8`)
  }
  if (typeof type !== 'string' || type.length > MAX_TYPE_CHARS) throw new BadInputError('a bad content type')
  if (typeof cid !== 'string' || cid.length > MAX_CID_CHARS) throw new BadInputError('a manifest without a CID')
  if (!isCount(size) || !isTime(time)) throw new BadInputError('a manifest without size or time')
  if (key !== null && !(key instanceof Uint8Array && key.length === CONTENT_KEY_BYTES)) {
    throw new BadInputError('a manifest with a bad key')
  }
  if (!Array.isArray(parts) || parts.length > MAX_PARTS) throw new BadInputError('a manifest with bad parts')
  return {
    name,
    contentType: type,
    cid,
    sizeBytes: size,
    createdAt: time,
    isPublic: plain.public === true,
    contentKey: key ?? undefined,
    parts: parts.map(partRangeFromPlain),
    metadata: metadataFromPlain(meta),
  }
}

/** A manifest in clear. */
export function clearEnvelope(manifest: Manifest): ManifestEnvelope {
  return { kind: 'clear', manifest: encodeManifest(manifest) }
}

/**
 * Seals a manifest for `readers` (public keys): one random 32-byte key, wrapped to each. `random` gives bytes.
 */
export function sealManifest(
  manifest: Manifest,
  readers: readonly Uint8Array[],
  random: (length: number) => Uint8Array,
): ManifestEnvelope {
  const key = random(CONTENT_KEY_BYTES)
  const box = sealBox(key, random(12), encodeManifest(manifest), BOX_CONTEXT)
  const keys = readers.map((reader) => ({ reader: compressPublicKey(reader), wrapped: wrapKey(reader, key, random) }))
  return { kind: 'sealed', box, keys }
}

/**
 * Opens an envelope with the key pair of one of its readers; undefined when it is sealed for others only.
 * Errors: {@link BadInputError} when it was altered.
 */
export function openManifest(
  envelope: ManifestEnvelope,
  reader?: { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array },
): Manifest | undefined {
  if (envelope.kind === 'clear') return decodeManifest(envelope.manifest)
  const own = reader && envelope.keys.find((key) => equalBytes(key.reader, compressPublicKey(reader.publicKey)))
  if (!own || !reader) return undefined
  const key = unwrapKey(reader.secretKey, own.wrapped)
  if (key.length !== CONTENT_KEY_BYTES) throw new BadInputError('a sealed manifest with a key of another length')
  return decodeManifest(openBox(key, envelope.box, BOX_CONTEXT))
}

/** The IPLD form that stands inside an index entry. */
export function envelopeToPlain(envelope: ManifestEnvelope): unknown {
  if (envelope.kind === 'clear') return { clear: envelope.manifest }
  return { box: envelope.box, keys: envelope.keys.map((key) => [key.reader, key.wrapped]) }
}

/** Parses {@link envelopeToPlain}. Errors: {@link BadInputError}. */
export function envelopeFromPlain(plain: unknown): ManifestEnvelope {
  const { clear, box, keys } = (plain ?? {}) as Record<string, unknown>
  if (clear instanceof Uint8Array) {
    decodeManifest(clear)
    return { kind: 'clear', manifest: clear }
  }
  if (!(box instanceof Uint8Array) || box.length > MAX_MANIFEST_BYTES) throw new BadInputError('a bad sealed manifest')
  if (!Array.isArray(keys) || keys.length > MAX_READERS) throw new BadInputError('a sealed manifest without readers')
  return {
    kind: 'sealed',
    box,
    keys: keys.map((key) => {
      const [reader, wrapped] = Array.isArray(key) ? key : []
      if (!(reader instanceof Uint8Array) || !(wrapped instanceof Uint8Array)) {
        throw new BadInputError('a sealed manifest with a malformed reader')
      }
      return { reader, wrapped }
    }),
  }
}

function partRangeFromPlain(plain: unknown): PartRange {
  const [partId, offset, length] = Array.isArray(plain) ? plain : []
  if (!(partId instanceof Uint8Array) || partId.length !== 32 || !isCount(offset) || !isCount(length)) {
    throw new BadInputError('a manifest with a malformed part')
  }
  return { partId, offset, length }
}

function metadataFromPlain(plain: unknown): Record<string, string> {
  const isMap = typeof plain === 'object' && plain !== null && Object.getPrototypeOf(plain) === Object.prototype
  const entries = isMap ? Object.entries(plain) : []
  if (!isMap || entries.length > MAX_METADATA || entries.some(([, value]) => typeof value !== 'string')) {
    throw new BadInputError(`metadata is at most ${MAX_METADATA} texts`)
  }
  return Object.fromEntries(entries) as Record<string, string>
}

function encodeRecord(record: unknown): Uint8Array {
  try {
    return encodeCbor(record)
  } catch (cause) {
    throw new BadInputError('a manifest with a field that cannot be stored', { cause })
  }
}

function decodeRecord(bytes: Uint8Array, noun: string): Record<string, unknown> {
  try {
    return (decodeCbor(bytes) ?? {}) as Record<string, unknown>
  } catch (cause) {
    throw new BadInputError(`a ${noun} is not dag-cbor`, { cause })
  }
}
