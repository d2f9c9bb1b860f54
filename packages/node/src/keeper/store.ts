import {
  type Address,
  concatBytes,
  decodePlacedPart,
  decodeSignedEntry,
  encodeBundle,
  encodePlacedPart,
  equalBytes,
  type Hex,
  type Holding,
  hex32,
  hexFromBytes,
  type IndexChange,
  type IndexStore,
  type LogHead,
  type Network,
  PAGE_BYTES,
  type PlacedPart,
  type SignedEntry,
  textFromUtf8,
  uint64be,
  utf8,
} from '@memo/core'
import { type CommitQueue, createCommitQueue } from './commit-queue.ts'
import * as keys from './keys.ts'
import { PAGE_HEADS, PAGE_RECORDS } from './limits.ts'

/** An entry as this keeper took it. */
export type TakenEntry = {
  readonly signed: SignedEntry
  /** Its number in the feed: this keeper took it so-and-so-many-th. */
  readonly arrival: number
}

/** What is written when an entry is taken. */
export type Taking = {
  readonly signed: SignedEntry
  /** Parts to write: new ones, and better placements of known ones. */
  readonly parts: readonly PlacedPart[]
  /** Digest of the login that opens this log, for its first entry. */
  readonly loginDigest: Hex | undefined
}

/** The name of one log. */
export type LogName = { readonly did: string; readonly writer: Address }

/** A keeper's records (`spec/keeper.md` 2): logs, parts, public objects, and the order in which they came. */
export type KeeperStore = {
  /** Entries taken. */
  readonly entries: number
  findHead(log: LogName): Promise<LogHead | undefined>
  findEntry(log: LogName, seq: number): Promise<TakenEntry | undefined>
  /** Entries from number `from`, a page at the most. */
  listEntries(log: LogName, from: number): Promise<readonly SignedEntry[]>
  listHeads(did: string): Promise<readonly LogHead[]>
  listWriterHeads(writer: Address, afterDid: string): Promise<readonly LogHead[]>
  /** The placement of a part by `owner`, or else the one that was here first. `partId` is 64 hex digits. */
  findPart(partId: string, owner?: string): Promise<PlacedPart | undefined>
  /** The placement of a part by `owner` and nobody else. */
  findOwnedPart(partId: string, owner: string): Promise<PlacedPart | undefined>
  hasPart(partId: string): Promise<boolean>
  /** What entries say of a piece (64 hex digits) at a provider. */
  findHolding(root: string, provider: Address): Promise<Holding>
  /**
   * A page of the entries of public objects that are not deleted and arrived after number `after`, in the order in which
   * they arrived, and what the next page comes after, where there is one. `cid` is canonical.
   */
  listPublic(
    cid: string,
    after: number,
  ): Promise<{ readonly entries: readonly SignedEntry[]; readonly next: number | undefined }>
  /** What was taken after `cursor`: encoded bundles, and the cursor after them. */
  readFeed(cursor: number): Promise<{ readonly next: number; readonly bundles: readonly Uint8Array[] }>
  /** The writer whose log a login opened. */
  findLoginWriter(digest: Hex): Promise<Address | undefined>
  /** Writes an entry with all that follows from it; durable when it resolves. The caller has the DID's turn. */
  take(taking: Taking): Promise<void>
}

const SIGNATURE_AT = 8
const BYTES_AT: number = SIGNATURE_AT + 65
/** Value of a record whose key says all. */
const PRESENT: Uint8Array = utf8('1')
/** Value of a record of where a piece lay by a placement that is no longer in force. */
const REPLACED: Uint8Array = utf8('0')
/** Entries read from the store at once: each may be megabytes. */
const READ_AHEAD = 8

export async function openKeeperStore(options: {
  readonly network: Network
  readonly index: IndexStore
}): Promise<KeeperStore> {
  const { network, index } = options
  const stored = await index.get(keys.LAST_CURSOR_KEY)
  const queue: CommitQueue = createCommitQueue(index, stored ? (fromJson(stored) as number) : 0, (cursor) => ({
    key: keys.LAST_CURSOR_KEY,
    value: toJson(cursor),
  }))

  const decodeTaken = (value: Uint8Array): TakenEntry => ({
    arrival: Number(new DataView(value.buffer, value.byteOffset).getBigUint64(0)),
    signed: decodeSignedEntry(network, value.subarray(BYTES_AT), value.subarray(SIGNATURE_AT, BYTES_AT)),
  })
  const findEntry = async ({ did, writer }: LogName, seq: number) => {
    const value = await index.get(keys.entryKey(did, writer, seq))
    return value && decodeTaken(value)
  }
  const findOwnedPart = async (partId: string, owner: string) => {
    const value = await index.get(keys.ownedPartKey(partId, owner))
    return value && decodePlacedPart(value)
  }
  const findPart = async (partId: string, owner?: string) => {
    const own = owner === undefined ? undefined : await findOwnedPart(partId, owner)
    if (own) return own
    const first = await index.get(keys.partKey(partId))
    return first && (await findOwnedPart(partId, textFromUtf8(first)))
  }
  const listHeads = async (prefix: string, after?: string): Promise<LogHead[]> => {
    const rows = await index.list({ prefix, limit: PAGE_HEADS, ...(after === undefined ? {} : { after }) })
    return rows.map((row) => fromJson(row.value) as LogHead)
  }
  /** The bundle of an entry that was taken, with the parts as they are known now. */
  const bundleOf = async (log: LogName, seq: number): Promise<Uint8Array | undefined> => {
    const taken = await findEntry(log, seq)
    if (!taken) return undefined
    const { action } = taken.signed.entry
    const ids = action.kind === 'put' ? action.partIds : []
    const parts = await Promise.all(ids.map((id) => findPart(hex32(id), log.did)))
    return encodeBundle({ signed: taken.signed, parts: parts.filter((part) => part !== undefined) })
  }

  return {
    get entries() {
      return queue.last
    },
    async findHead({ did, writer }) {
      const value = await index.get(keys.headKey(did, writer))
      return value && (fromJson(value) as LogHead)
    },
    findEntry,
    async listEntries({ did, writer }, from) {
      const prefix = keys.entriesPrefix(did, writer)
      const found: SignedEntry[] = []
      let after = keys.entryKey(did, writer, from - 1)
      for (let bytes = 0; found.length < PAGE_RECORDS && bytes < PAGE_BYTES; ) {
        const rows = await index.list({ prefix, after, limit: Math.min(READ_AHEAD, PAGE_RECORDS - found.length) })
        for (const row of rows) {
          bytes += row.value.length
          if (found.length > 0 && bytes > PAGE_BYTES) return found
          found.push(decodeTaken(row.value).signed)
          after = row.key
        }
        if (rows.length < READ_AHEAD) return found
      }
      return found
    },
    listHeads: (did) => listHeads(keys.headsPrefix(did)),
    listWriterHeads: (writer, afterDid) =>
      listHeads(keys.writerPrefix(writer), afterDid === '' ? undefined : keys.writerKey(writer, afterDid)),
    findPart,
    findOwnedPart,
    async hasPart(partId) {
      return (await index.get(keys.partKey(partId))) !== undefined
    },
    async findHolding(root, provider) {
      let after = ''
      for (;;) {
        const rows = await index.list({ prefix: keys.heldPrefix(root, provider), after, limit: PAGE_RECORDS })
        for (const { key, value } of rows) {
          after = key
          if (equalBytes(value, REPLACED)) continue
          const needs = await index.list({ prefix: keys.needPrefixOfHeldKey(key), limit: 1 })
          if (needs.length > 0) return 'placed'
        }
        if (rows.length < PAGE_RECORDS) return after === '' ? 'unknown' : 'released'
      }
    },
    async listPublic(cid, arrivedAfter) {
      const prefix = keys.publicPrefix(cid)
      const after = keys.publicAfterKey(cid, arrivedAfter)
      const rows = await index.list({ prefix, after, limit: PAGE_RECORDS })
      const entries: SignedEntry[] = []
      let next = arrivedAfter
      let bytes = 0
      for (const row of rows) {
        const { did, writer, seq, arrival } = keys.placeOfPublicKey(row.key)
        const taken = await findEntry({ did, writer }, seq)
        bytes += taken?.signed.bytes.length ?? 0
        if (entries.length > 0 && bytes > PAGE_BYTES) return { entries, next }
        if (taken) entries.push(taken.signed)
        next = arrival
      }
      return { entries, next: rows.length < PAGE_RECORDS ? undefined : next }
    },
    async readFeed(cursor) {
      const last = queue.last
      if (cursor >= last) return { next: last, bundles: [] }
      const rows = await index.list({ prefix: keys.FEED_PREFIX, after: keys.feedKey(cursor), limit: PAGE_RECORDS })
      const bundles: Uint8Array[] = []
      let next = cursor
      let bytes = 0
      for (const row of rows) {
        const [did, writer, seq] = fromJson(row.value) as [string, Address, number]
        const bundle = await bundleOf({ did, writer }, seq)
        bytes += bundle?.length ?? 0
        if (bundles.length > 0 && bytes > PAGE_BYTES) break
        if (bundle) bundles.push(bundle)
        next = Number(row.key.slice(keys.FEED_PREFIX.length))
      }
      return { next, bundles }
    },
    async findLoginWriter(digest) {
      const value = await index.get(keys.loginKey(digest))
      return value && (textFromUtf8(value) as Address)
    },
    async take(taking) {
      const changes = [...(await partChanges(taking)), ...(await needChanges(taking))]
      const visible = await visibilityChanges(taking)
      const { did, writer, seq } = taking.signed.entry
      await queue.append((cursor) => [
        ...entryChanges(taking, cursor),
        ...changes,
        ...visible(cursor),
        { key: keys.feedKey(cursor), value: toJson([did, writer, seq]) },
      ])
    },
  }

  async function partChanges({ parts, signed }: Taking): Promise<IndexChange[]> {
    const { did } = signed.entry
    const changes: IndexChange[] = []
    for (const part of parts) {
      const id = hex32(part.placement.partId)
      const before = await findOwnedPart(id, did)
      for (const key of before ? heldKeys(before) : []) changes.push({ key, value: REPLACED })
      for (const key of heldKeys(part)) changes.push({ key, value: PRESENT })
      changes.push({ key: keys.ownedPartKey(id, did), value: encodePlacedPart(part) })
      if (!(await index.get(keys.partKey(id)))) changes.push({ key: keys.partKey(id), value: utf8(did) })
    }
    return changes
  }

  /** Which parts live entries need, in whichever order a put and its deletion arrive. */
  async function needChanges({ signed }: Taking): Promise<IndexChange[]> {
    const { did, writer, seq, action } = signed.entry
    if (action.kind === 'put') {
      if (await index.get(keys.tombstoneKey(did, writer, seq))) return []
      return action.partIds.map((id) => ({ key: keys.needKey(hex32(id), did, writer, seq), value: PRESENT }))
    }
    const put = (await findEntry({ did, writer: action.writer }, action.seq))?.signed.entry.action
    if (put?.kind !== 'put') return []
    return put.partIds.map((id) => ({ key: keys.needKey(hex32(id), did, action.writer, action.seq) }))
  }

  /** Public objects appear under their CID, and vanish when they are deleted, in whichever order the two arrive. */
  async function visibilityChanges({ signed }: Taking): Promise<(cursor: number) => IndexChange[]> {
    const { did, writer, seq, action } = signed.entry
    if (action.kind === 'put') {
      const { cid } = action
      if (cid === undefined || (await index.get(keys.tombstoneKey(did, writer, seq)))) return () => []
      return (arrival) => [{ key: keys.publicKey({ cid, arrival, did, writer, seq }), value: PRESENT }]
    }
    const tombstone = { key: keys.tombstoneKey(did, action.writer, action.seq), value: PRESENT }
    const target = await findEntry({ did, writer: action.writer }, action.seq)
    const put = target?.signed.entry.action
    if (!target || put?.kind !== 'put' || put.cid === undefined) return () => [tombstone]
    const place = { cid: put.cid, arrival: target.arrival, did, writer: action.writer, seq: action.seq }
    return () => [tombstone, { key: keys.publicKey(place) }]
  }
}

function entryChanges({ signed, loginDigest }: Taking, arrival: number): IndexChange[] {
  const { did, writer, seq } = signed.entry
  const head = toJson({ did, writer, seq, hash: hexFromBytes(signed.hash) } satisfies LogHead)
  const record = concatBytes(uint64be(arrival), signed.signature, signed.bytes)
  return [
    { key: keys.entryKey(did, writer, seq), value: record },
    { key: keys.headKey(did, writer), value: head },
    { key: keys.writerKey(writer, did), value: head },
    ...(loginDigest === undefined ? [] : [{ key: keys.loginKey(loginDigest), value: utf8(writer) }]),
  ]
}

/** A record for each piece that a provider has signed for. */
function heldKeys({ placement, receipts }: PlacedPart): string[] {
  const { pieces, owner } = placement
  const partId = hex32(placement.partId)
  return pieces.flatMap(({ root, provider }, i) =>
    receipts[i] ? [keys.heldKey(hex32(root), provider, partId, owner)] : [],
  )
}

function toJson(value: unknown): Uint8Array {
  return utf8(JSON.stringify(value))
}

function fromJson(value: Uint8Array): unknown {
  return JSON.parse(textFromUtf8(value))
}
