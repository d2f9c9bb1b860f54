import {
  type Address,
  decodeCbor,
  encodeCbor,
  equalBytes,
  findAddress,
  findBytesFromHex,
  type Hex,
  hex32,
  hexFromBytes,
  isCount,
  utf8,
} from '../bytes/index.ts'
import { BadInputError, MemoError } from '../errors/index.ts'
import { decodeSignedEntry, type SignedEntry } from '../log/index.ts'
import { findAckFromJson, type IndexAck, isAckOf } from './ack.ts'
import {
  decodeBundle,
  decodePlacedPart,
  encodeBundle,
  type IndexBundle,
  MAX_BUNDLE_BYTES,
  type PlacedPart,
} from './bundle.ts'
import { type ClientPorts, type ExchangeRequest, exchange, type Peer } from './exchange.ts'
import { BadAnswerError, CBOR_TYPE, JSON_TYPE, parseJsonAnswer, readAnswer } from './http.ts'
import { CONTROL_TIMEOUT_MS } from './provider-client.ts'

const MAX_JSON_BYTES = 4_194_304
/** Entries in one page, beyond which it ends whatever their number; bundles in a feed, unless a single one is larger. */
export const PAGE_BYTES = 16_777_216
/** A page of entries, each of which is smaller than a page, with their signatures. */
const MAX_ENTRIES_BYTES: number = PAGE_BYTES + 65_536
/** A placement of 256 pieces and their receipts. */
const MAX_PART_BYTES = 65_536
const MAX_FEED_BYTES = MAX_BUNDLE_BYTES
/** Pieces asked about at once. */
export const HOLDINGS_PAGE = 500
const HOLDINGS: readonly unknown[] = ['placed', 'released', 'unknown'] satisfies Holding[]
/** Entries asked for at once. */
export const ENTRY_PAGE = 100

/** The newest entry of one log. */
export type LogHead = { readonly did: string; readonly writer: Address; readonly seq: number; readonly hash: Hex }

/** A provider that a keeper proposes. */
export type Candidate = { readonly address: Address; readonly endpoint: string }

/**
 * What a keeper's records say of a piece at a provider: a live entry needs it; all entries that needed it are deleted; no
 * entry ever named it there.
 */
export type Holding = 'placed' | 'released' | 'unknown'

export type MatchRequest = {
  /** Pieces to place. */
  readonly count: number
  readonly pieceBytes: number
  /** Providers that must not be proposed. */
  readonly exclude: readonly Address[]
}

/** An entry's number is taken, or does not follow the newest one: the log moved on. */
export class IndexConflictError extends MemoError {
  override readonly name: string = 'IndexConflictError'
  constructor(message: string, details: Readonly<Record<string, unknown>>) {
    super(message, {
      blame: 'user',
      retry: 'now',
      details,
      fix: 'Read the newest entry of the log, then append to it.',
    })
  }
}

type CallOptions = { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number | undefined }

/** Speaks to one keeper; checks all that is signed. */
export type KeeperClient = {
  readonly address: Address
  /** Providers for new pieces, best first; possibly fewer than asked for. */
  match(request: MatchRequest, options?: CallOptions): Promise<readonly Candidate[]>
  /** Hands over an entry with its parts; the checked acknowledgement means that the keeper keeps them. */
  submit(bundle: IndexBundle, options?: CallOptions): Promise<IndexAck>
  /** Heads of all logs of a DID. */
  listHeads(did: string, options?: CallOptions): Promise<readonly LogHead[]>
  /** Heads of the logs that `writer` writes, by DID, after `after`. */
  listWriterHeads(writer: Address, after: string, options?: CallOptions): Promise<readonly LogHead[]>
  /** Up to {@link ENTRY_PAGE} entries of a log from number `from`, signatures checked. */
  listEntries(did: string, writer: Address, from: number, options?: CallOptions): Promise<readonly SignedEntry[]>
  /** The placement of a part by the DID `owner`; where it has none or none is named, the one that the keeper had first. */
  findPart(
    partId: Uint8Array,
    options?: CallOptions & { readonly owner?: string | undefined },
  ): Promise<PlacedPart | undefined>
  /** For each of up to {@link HOLDINGS_PAGE} pieces (64 hex digits) at `provider`, whether entries need it. */
  listHoldings(provider: Address, roots: readonly string[], options?: CallOptions): Promise<readonly Holding[]>
  /**
   * A page of the entries of public objects with this CID, in the order in which they reached the keeper. `next` is what
   * the following page comes `after`, where there is one.
   */
  listPublic(
    cid: string,
    options?: CallOptions & { readonly after?: number | undefined },
  ): Promise<{ readonly entries: readonly SignedEntry[]; readonly next: number | undefined }>
  /** What the keeper took in after `cursor`, for other keepers. */
  readFeed(
    cursor: number,
    options?: CallOptions,
  ): Promise<{ readonly next: number; readonly bundles: readonly IndexBundle[] }>
}

/** A client for the keeper `peer` (`spec/wire.md` 6). */
export function createKeeperClient(ports: ClientPorts, peer: Omit<Peer, 'role'>): KeeperClient {
  const keeper: Peer = { ...peer, role: 'keeper' }
  const call = async (request: Omit<ExchangeRequest, 'timeoutMs'>, most: number, options: CallOptions) =>
    await exchange(
      ports,
      keeper,
      { ...request, timeoutMs: options.timeoutMs ?? CONTROL_TIMEOUT_MS, signal: options.signal },
      async (response) => await readAnswer(response, most, 'keeper'),
    )
  const bad = (what: string, cause?: unknown) =>
    new BadAnswerError(`keeper ${keeper.address} answered ${what}`, {
      blame: 'keeper',
      retry: 'now',
      details: { keeper: keeper.address },
      cause,
    })
  const checked = <T>(what: string, parse: () => T): T => {
    try {
      return parse()
    } catch (cause) {
      throw cause instanceof BadInputError ? bad(what, cause) : cause
    }
  }
  const entriesOf = (answer: Uint8Array): { entries: SignedEntry[]; next: unknown } =>
    checked('malformed entries', () => {
      const { entries, next } = recordOf(answer)
      if (!Array.isArray(entries)) throw new BadInputError('no list of entries')
      return { entries: entries.map((plain) => entryOf(ports, plain)), next }
    })
  const callJson = async (request: Omit<ExchangeRequest, 'timeoutMs'>, options: CallOptions) => {
    const answer = parseJsonAnswer(await call(request, MAX_JSON_BYTES, options), 'keeper')
    return (answer ?? {}) as Readonly<Record<string, unknown>>
  }
  const listHeadsAt = async (path: string, options: CallOptions): Promise<LogHead[]> => {
    const heads = findHeads(await callJson({ method: 'GET', path }, options))
    if (!heads) throw bad('a malformed list of heads')
    return heads
  }

  return {
    address: keeper.address,
    async match(request, options = {}) {
      const body = utf8(JSON.stringify(request))
      const headers = { 'content-type': JSON_TYPE }
      const { providers } = await callJson({ method: 'POST', path: '/match', body, headers }, options)
      if (!Array.isArray(providers)) throw bad('no list of providers')
      return providers.flatMap((plain) => candidateOf(plain) ?? [])
    },
    async submit(bundle, options = {}) {
      const headers = { 'content-type': CBOR_TYPE }
      const request = { method: 'POST', path: '/index', body: encodeBundle(bundle), headers }
      const ack = findAckFromJson((await callJson(request, options)).ack)
      if (!ack || ack.keeper !== keeper.address || !isAckOf(ports.network, bundle.signed, ack)) {
        throw bad('without a valid acknowledgement')
      }
      return ack
    },
    async listHeads(did, options = {}) {
      const heads = await listHeadsAt(`/index/${encodeURIComponent(did)}`, options)
      if (heads.some((head) => head.did !== did)) throw bad('heads of another DID')
      return heads
    },
    async listWriterHeads(writer, after, options = {}) {
      const heads = await listHeadsAt(`/writers/${writer}?after=${encodeURIComponent(after)}`, options)
      if (heads.some((head) => head.writer !== writer)) throw bad('heads of another writer')
      return heads
    },
    async listEntries(did, writer, from, options = {}) {
      const path = `/index/${encodeURIComponent(did)}/${writer}?from=${from}`
      const { entries } = entriesOf(await call({ method: 'GET', path }, MAX_ENTRIES_BYTES, options))
      if (!isStretchOf(entries, did, writer, from)) throw bad('entries that are not a stretch of this log')
      return entries
    },
    async findPart(partId, options = {}) {
      const owner = options.owner === undefined ? '' : `?owner=${encodeURIComponent(options.owner)}`
      const request = { method: 'GET', path: `/placements/${hex32(partId)}${owner}` }
      const answer = await call(request, MAX_PART_BYTES, options)
      const { part } = checked('a malformed placement', () => recordOf(answer))
      if (!(part instanceof Uint8Array)) return undefined
      const placed = checked('a malformed placement', () => decodePlacedPart(part))
      if (hexFromBytes(placed.placement.partId) !== hexFromBytes(partId)) throw bad('another part')
      return placed
    },
    async listHoldings(provider, roots, options = {}) {
      const body = utf8(JSON.stringify({ provider, roots }))
      const headers = { 'content-type': JSON_TYPE }
      const { holdings } = await callJson({ method: 'POST', path: '/holdings', body, headers }, options)
      const isWhole = Array.isArray(holdings) && holdings.length === roots.length
      if (!isWhole || !holdings.every((holding) => HOLDINGS.includes(holding)))
        throw bad('a malformed list of holdings')
      return holdings
    },
    async listPublic(cid, { after = 0, ...options } = {}) {
      const path = `/objects/${encodeURIComponent(cid)}?after=${after}`
      const { entries, next } = entriesOf(await call({ method: 'GET', path }, MAX_ENTRIES_BYTES, options))
      if (entries.some(({ entry: { action } }) => action.kind !== 'put' || action.cid !== cid)) {
        throw bad('entries of another object')
      }
      if (next === undefined) return { entries, next }
      if (!isCount(next) || next <= after) throw bad('a page that leads nowhere')
      return { entries, next }
    },
    async readFeed(cursor, options = {}) {
      const answer = await call({ method: 'GET', path: `/feed?after=${cursor}` }, MAX_FEED_BYTES, options)
      const { next, bundles } = checked('a malformed feed', () => recordOf(answer))
      if (!Number.isSafeInteger(next) || !Array.isArray(bundles)) throw bad('a malformed feed')
      const parsed = checked('a malformed feed', () => bundles.map((bytes) => decodeBundle(ports.network, bytes)))
      return { next: next as number, bundles: parsed }
    },
  }
}

/** Body of an answer that lists entries: dag-cbor `{entries: [[bytes, signature], …], next?}`. */
export function encodeEntries(
  entries: readonly Pick<SignedEntry, 'bytes' | 'signature'>[],
  next?: number | undefined,
): Uint8Array {
  const list = entries.map((entry) => [entry.bytes, entry.signature])
  return encodeCbor(next === undefined ? { entries: list } : { entries: list, next })
}

/** Body of an answer with a part, or with none: dag-cbor `{part: bytes | null}`. */
export function encodePartAnswer(part: Uint8Array | undefined): Uint8Array {
  return encodeCbor({ part: part ?? null })
}

/** Body of a feed answer: dag-cbor `{next, bundles: [bytes, …]}`. */
export function encodeFeed(next: number, bundles: readonly Uint8Array[]): Uint8Array {
  return encodeCbor({ next, bundles })
}

function entryOf(ports: ClientPorts, plain: unknown): SignedEntry {
  const [bytes, signature] = Array.isArray(plain) ? plain : []
  if (!(bytes instanceof Uint8Array) || !(signature instanceof Uint8Array)) throw new BadInputError('a malformed entry')
  return decodeSignedEntry(ports.network, bytes, signature)
}

function recordOf(bytes: Uint8Array): Record<string, unknown> {
  try {
    return (decodeCbor(bytes) ?? {}) as Record<string, unknown>
  } catch (cause) {
    throw new BadInputError('an answer is not dag-cbor', { cause })
  }
}

/** The heads in an answer; undefined when one of them is none. */
function findHeads({ heads }: Readonly<Record<string, unknown>>): LogHead[] | undefined {
  if (!Array.isArray(heads)) return undefined
  const parsed = heads.map((plain): LogHead | undefined => {
    const { did, writer, seq, hash } = (plain ?? {}) as Record<string, unknown>
    const address = findAddress(writer)
    const bytes = findBytesFromHex(hash, 32)
    if (typeof did !== 'string' || !address || !bytes || !Number.isSafeInteger(seq) || (seq as number) < 1)
      return undefined
    return { did, writer: address, seq: seq as number, hash: hexFromBytes(bytes) }
  })
  return parsed.every((head) => head !== undefined) ? parsed : undefined
}

/** Whether entries are those of one log from number `from` on, without gaps and each linked to the one before. */
function isStretchOf(entries: readonly SignedEntry[], did: string, writer: Address, from: number): boolean {
  return entries.every(({ entry }, i) => {
    const before = entries[i - 1]
    const isLinked = before === undefined || equalBytes(entry.previous, before.hash)
    return entry.did === did && entry.writer === writer && entry.seq === from + i && isLinked
  })
}

function candidateOf(plain: unknown): Candidate | undefined {
  const { address, endpoint } = (plain ?? {}) as Record<string, unknown>
  const provider = findAddress(address)
  return provider && typeof endpoint === 'string' ? { address: provider, endpoint } : undefined
}
