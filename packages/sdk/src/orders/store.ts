import {
  type Address,
  type AmendmentTerms,
  findBytesFromHex,
  hex32,
  hexFromBytes,
  type IndexChange,
  type IndexStore,
  type OrderTerms,
  type SetCommitment,
  type SetPiece,
  textFromUtf8,
  uint64be,
  utf8,
} from '@memo/core'
import type { KeptRecord } from './kept.ts'

/** An order as the chain had it when it was last looked at. */
export type OrderRecord = {
  readonly orderId: bigint
  readonly provider: Address
  readonly sizeBytes: number
  readonly priceAttoPerGiBSecond: bigint
  readonly end: bigint
  readonly seq: bigint
  /** The order under which its pieces came when it was over. */
  readonly followedBy?: bigint | undefined
}

/** What a provider has signed and what may be on chain or not: kept until that is known. */
export type ChangeRecord = {
  readonly provider: Address
  readonly signature: Uint8Array
  /** The newest block when it was signed: it is in none before. */
  readonly block: number
} & ({ readonly kind: 'open'; readonly terms: OrderTerms } | { readonly kind: 'amend'; readonly terms: AmendmentTerms })

/** A set that both have signed. */
export type CommitRecord = {
  readonly commitment: SetCommitment
  readonly userSignature: Uint8Array
  readonly providerSignature: Uint8Array
}

/** A set that this account has signed, and the provider perhaps not yet. */
export type OfferRecord = {
  readonly commitment: SetCommitment
  readonly signature: Uint8Array
  readonly added: readonly SetPiece[]
  readonly removed: readonly Uint8Array[]
}

/** What was read under an order on this account, and paid for. */
export type ReadsRecord = {
  readonly provider: Address
  /** Of the allowance. */
  readonly seq: bigint
  /** What the newest voucher says. */
  readonly signedBytes: bigint
}

/** Money for reading that is about to be locked, or may be: what the chain shows beyond `bytesBefore` tells. */
export type LockingRecord = {
  /** Of the allowance. */
  readonly seq: bigint
  /** What was allowed before. */
  readonly bytesBefore: bigint
  readonly sizeBytes: number
  readonly priceAttoPerByte: bigint
}

/** All records of an order book, in a store that others may use as well. */
export type OrderStore = {
  listOrders(): Promise<OrderRecord[]>
  listChanges(): Promise<ChangeRecord[]>
  listReads(): Promise<(ReadsRecord & { readonly orderId: bigint })[]>
  /** Notes what is about to be submitted. */
  putChange(change: ChangeRecord): Promise<void>
  /** What became of a change: the order that it made or changed, or nothing. */
  endChange(provider: Address, order: OrderRecord | undefined): Promise<void>
  putOrder(order: OrderRecord): Promise<void>
  /** Forgets an order that is over, with all that hangs on it. */
  dropOrder(orderId: bigint): Promise<void>
  /** Forgets an order that the chain has forgotten, and notes what was held under it, in one step. */
  uncover(order: OrderRecord, pieces: readonly SetPiece[]): Promise<void>
  /** What was held under such orders and is under none now. */
  listBare(provider: Address): AsyncIterable<SetPiece>
  dropBare(provider: Address, root: Uint8Array): Promise<void>
  /** Providers with which there were such orders. */
  listForgetful(): Promise<Address[]>
  findCommit(orderId: bigint): Promise<CommitRecord | undefined>
  findOffer(orderId: bigint): Promise<OfferRecord | undefined>
  putOffer(offer: OfferRecord): Promise<void>
  dropOffer(orderId: bigint): Promise<void>
  listPieces(orderId: bigint): AsyncIterable<SetPiece>
  /** Pieces that were given up, and that the set still has: a provider that lists them does not say so. */
  listGone(orderId: bigint): AsyncIterable<Uint8Array>
  /** Notes that a piece was given up, and what its provider keeps under the order now. */
  putGone(orderId: bigint, root: Uint8Array, kept: readonly KeptRecord[]): Promise<void>
  findKept(orderId: bigint): Promise<readonly KeptRecord[] | undefined>
  /** The piece was stored again. */
  dropGone(orderId: bigint, root: Uint8Array): Promise<void>
  /** Both have signed: the set is the offered one now. */
  putCommit(commit: CommitRecord, change: Pick<OfferRecord, 'added' | 'removed'>): Promise<void>
  /** The set is `pieces`, whatever it was. */
  resetCommit(orderId: bigint, commit: CommitRecord | undefined, pieces: readonly SetPiece[]): Promise<void>
  putReads(orderId: bigint, reads: ReadsRecord): Promise<void>
  findLocking(orderId: bigint): Promise<LockingRecord | undefined>
  /** Notes what is about to be locked; undefined: it is known what became of it. */
  putLocking(orderId: bigint, locking: LockingRecord | undefined): Promise<void>
  /** Numbers that no order of this account has had. */
  takeNonce(random: () => bigint): Promise<bigint>
  /** Whether the book was closed in order when it was last used. */
  getState(): Promise<'new' | 'closed' | 'interrupted'>
  /** From now on it is not closed in order, until {@link OrderStore.close}. */
  open(): Promise<void>
  close(): Promise<void>
}

const ROOM = 'money/'
const PAGE = 500
const ID_DIGITS = 20
/** The contract keeps used numbers in words of so many. */
const NONCES_PER_WORD = 256n

export function createOrderStore(store: IndexStore): OrderStore {
  const keyOf = (kind: string, id: bigint | string) =>
    `${ROOM}${kind}/${typeof id === 'bigint' ? `${id}`.padStart(ID_DIGITS, '0') : id}`
  const find = async <T>(key: string): Promise<T | undefined> => {
    const value = await store.get(key)
    return value && decode<T>(value)
  }
  const listAll = async function* (prefix: string) {
    let after: string | undefined
    for (;;) {
      const page = await store.list({ prefix, limit: PAGE, ...(after === undefined ? {} : { after }) })
      yield* page
      if (page.length < PAGE) return
      after = page.at(-1)?.key
    }
  }
  const listOf = async <T>(kind: string): Promise<T[]> => {
    const records: T[] = []
    for await (const { value } of listAll(`${ROOM}${kind}/`)) records.push(decode<T>(value))
    return records
  }
  const pieceKey = (orderId: bigint, root: Uint8Array) => `${keyOf('piece', orderId)}/${hex32(root)}`
  const goneKey = (orderId: bigint, root: Uint8Array) => `${keyOf('gone', orderId)}/${hex32(root)}`
  const rootsOf = async function* (prefix: string): AsyncGenerator<Uint8Array> {
    for await (const { key } of listAll(prefix)) {
      const root = findBytesFromHex(`0x${key.slice(prefix.length)}`, 32)
      if (root) yield root
    }
  }
  const apply = async (...changes: IndexChange[]) => await store.apply(changes)
  const piecesUnder = async function* (prefix: string): AsyncGenerator<SetPiece> {
    for await (const { key, value } of listAll(prefix)) {
      const root = findBytesFromHex(`0x${key.slice(prefix.length)}`, 32)
      if (root) yield { root, sizeBytes: Number(new DataView(value.buffer, value.byteOffset).getBigUint64(0)) }
    }
  }
  const piecesOf = (orderId: bigint) => piecesUnder(`${keyOf('piece', orderId)}/`)
  const barePrefix = (provider: Address) => `${keyOf('bare', provider)}/`
  const dropChanges = async (orderId: bigint): Promise<IndexChange[]> => {
    const pieces: IndexChange[] = []
    for await (const { root } of piecesOf(orderId)) pieces.push({ key: pieceKey(orderId, root) })
    for await (const root of rootsOf(`${keyOf('gone', orderId)}/`)) pieces.push({ key: goneKey(orderId, root) })
    const kinds = ['order', 'commit', 'offer', 'reads', 'locking', 'kept']
    return [...pieces, ...kinds.map((kind) => ({ key: keyOf(kind, orderId) }))]
  }
  const placed = (orderId: bigint, { root, sizeBytes }: SetPiece): IndexChange => ({
    key: pieceKey(orderId, root),
    value: uint64be(sizeBytes),
  })

  let nonce: Promise<unknown> = Promise.resolve()
  const nextNonce = async (random: () => bigint) => {
    const last = await find<bigint>(`${ROOM}nonce`)
    const isWordFull = last === undefined || (last + 1n) % NONCES_PER_WORD === 0n
    const next = isWordFull ? (random() / NONCES_PER_WORD) * NONCES_PER_WORD : last + 1n
    await apply({ key: `${ROOM}nonce`, value: encode(next) })
    return next
  }

  return {
    listOrders: async () => await listOf<OrderRecord>('order'),
    listChanges: async () => await listOf<ChangeRecord>('change'),
    listReads: async () => await listOf<ReadsRecord & { orderId: bigint }>('reads'),
    putChange: async (change) => await apply({ key: keyOf('change', change.provider), value: encode(change) }),
    endChange: async (provider, order) =>
      await apply(
        { key: keyOf('change', provider) },
        ...(order ? [{ key: keyOf('order', order.orderId), value: encode(order) }] : []),
      ),
    putOrder: async (order) => await apply({ key: keyOf('order', order.orderId), value: encode(order) }),
    dropOrder: async (orderId) => await apply(...(await dropChanges(orderId))),
    async uncover({ orderId, provider }, pieces) {
      const bare = pieces.map(({ root, sizeBytes }) => {
        return { key: `${barePrefix(provider)}${hex32(root)}`, value: uint64be(sizeBytes) }
      })
      const mark = { key: keyOf('forgetful', provider), value: encode(provider) }
      await apply(...(await dropChanges(orderId)), ...bare, mark)
    },
    listBare: (provider) => piecesUnder(barePrefix(provider)),
    dropBare: async (provider, root) => await apply({ key: `${barePrefix(provider)}${hex32(root)}` }),
    listForgetful: async () => await listOf<Address>('forgetful'),
    findCommit: async (orderId) => await find<CommitRecord>(keyOf('commit', orderId)),
    findOffer: async (orderId) => await find<OfferRecord>(keyOf('offer', orderId)),
    putOffer: async (offer) => await apply({ key: keyOf('offer', offer.commitment.orderId), value: encode(offer) }),
    dropOffer: async (orderId) => await apply({ key: keyOf('offer', orderId) }),
    listPieces: piecesOf,
    listGone: (orderId) => rootsOf(`${keyOf('gone', orderId)}/`),
    putGone: async (orderId, root, kept) =>
      await apply(
        { key: goneKey(orderId, root), value: new Uint8Array(0) },
        { key: keyOf('kept', orderId), value: encode(kept) },
      ),
    findKept: async (orderId) => await find<readonly KeptRecord[]>(keyOf('kept', orderId)),
    dropGone: async (orderId, root) => await apply({ key: goneKey(orderId, root) }),
    async putCommit(commit, { added, removed }) {
      const { orderId } = commit.commitment
      await apply(
        ...removed.flatMap((root) => [{ key: pieceKey(orderId, root) }, { key: goneKey(orderId, root) }]),
        ...added.map((piece) => placed(orderId, piece)),
        { key: keyOf('commit', orderId), value: encode(commit) },
        { key: keyOf('offer', orderId) },
      )
    },
    async resetCommit(orderId, commit, pieces) {
      const gone: IndexChange[] = []
      const kept = new Set(pieces.map(({ root }) => hex32(root)))
      for await (const { root } of piecesOf(orderId)) {
        if (!kept.has(hex32(root))) gone.push({ key: pieceKey(orderId, root) })
      }
      await apply(
        ...gone,
        ...pieces.map((piece) => placed(orderId, piece)),
        commit ? { key: keyOf('commit', orderId), value: encode(commit) } : { key: keyOf('commit', orderId) },
        { key: keyOf('offer', orderId) },
      )
    },
    putReads: async (orderId, reads) =>
      await apply({ key: keyOf('reads', orderId), value: encode({ orderId, ...reads }) }),
    findLocking: async (orderId) => await find<LockingRecord>(keyOf('locking', orderId)),
    putLocking: async (orderId, locking) =>
      await apply({ key: keyOf('locking', orderId), ...(locking ? { value: encode(locking) } : {}) }),
    async takeNonce(random) {
      const turn = nonce.then(() => nextNonce(random))
      nonce = turn.catch(() => undefined) // whoever asked has the error
      return await turn
    },
    getState: async () => (await find<'closed' | 'interrupted'>(`${ROOM}state`)) ?? 'new',
    open: async () => await apply({ key: `${ROOM}state`, value: encode('interrupted') }),
    close: async () => await apply({ key: `${ROOM}state`, value: encode('closed') }),
  }
}

const BIGINT = 'n:'
const BYTES = 'x:'
const TEXT = 's:'

/** JSON in which whole numbers of the chain, bytes and texts are told apart by two letters. */
function encode(value: unknown): Uint8Array {
  return utf8(JSON.stringify(tagged(value)))
}

/** What {@link encode} wrote; the store is ours, so its shape is trusted. */
function decode<T>(bytes: Uint8Array): T {
  return JSON.parse(textFromUtf8(bytes), (_, value) => (typeof value === 'string' ? untagged(value) : value)) as T
}

function tagged(value: unknown): unknown {
  if (typeof value === 'bigint') return `${BIGINT}${value}`
  if (typeof value === 'string') return `${TEXT}${value}`
  if (value instanceof Uint8Array) return `${BYTES}${hexFromBytes(value)}`
  if (Array.isArray(value)) return value.map(tagged)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, tagged(field)]))
}

function untagged(text: string): unknown {
  const rest = text.slice(2)
  if (text.startsWith(BIGINT)) return BigInt(rest)
  if (text.startsWith(BYTES)) return findBytesFromHex(rest) ?? new Uint8Array(0)
  return rest
}
