import { type Address, type IndexChange, type IndexStore, textFromUtf8, type UsedNonce, utf8 } from '@memo/core'

/** What an account was given a receipt for. One account has at most one claim on a piece under one order. */
export type Claim = {
  readonly account: Address
  /** 0 = without an order. */
  readonly orderId: number
  /** Of the receipt, in unix seconds. */
  readonly expiry: number
  /** The account gave the piece up; it is kept until nobody can dispute it any more. */
  readonly isReleased?: boolean | undefined
}

/**
 * What the provider remembers of a piece that it gave a receipt for. `corrupt` and `lost` pieces stay on record: a
 * promise is not undone by failing to keep it.
 */
export type PieceRecord = {
  /** 64 hex digits. */
  readonly root: string
  readonly sizeBytes: number
  readonly state: 'held' | 'corrupt' | 'lost'
  /** In the order in which the receipts were given. */
  readonly claims: readonly Claim[]
  /** Keepers have known an entry that needs it here. */
  readonly wasPlaced?: boolean
}

/** What becomes durable together with a change of a record. */
export type Beside = {
  /** The nonce of the request that asked for the change. */
  readonly used?: UsedNonce | undefined
  readonly changes?: readonly IndexChange[] | undefined
}

/** The provider's records, durable in an {@link IndexStore}. */
export type PieceBook = {
  find(root: string): Promise<PieceRecord | undefined>
  put(record: PieceRecord, beside?: Beside): Promise<void>
  remove(root: string, beside?: Beside): Promise<void>
  /** By root, after `after`. */
  list(after: string | undefined, limit: number): Promise<readonly PieceRecord[]>
  /** When a piece without record was first seen, in milliseconds; undefined when it was not. */
  findOrphan(root: string): Promise<number | undefined>
  markOrphan(root: string, seenAtMs: number): Promise<void>
  forgetOrphan(root: string): Promise<void>
  /** Nonces of changes, those that expire first before the others. */
  listNonces(after?: UsedNonce): Promise<readonly UsedNonce[]>
  forgetNonces(nonces: readonly UsedNonce[]): Promise<void>
}

const PIECE = 'piece/'
const ORPHAN = 'orphan/'
const NONCE = 'nonce/'
/** Listed at once. */
const MAX_NONCES = 10_000
const EXPIRY_DIGITS = 12

export function createPieceBook(index: IndexStore): PieceBook {
  return {
    async find(root) {
      const value = await index.get(PIECE + root)
      return value && (decode(value) as PieceRecord)
    },
    async put(record, beside) {
      const change = { key: PIECE + record.root, value: encode(record) }
      await index.apply([change, { key: ORPHAN + record.root }, ...changesBeside(beside)])
    },
    async remove(root, beside) {
      await index.apply([{ key: PIECE + root }, ...changesBeside(beside)])
    },
    async list(after, limit) {
      const from = after === undefined ? {} : { after: PIECE + after }
      const rows = await index.list({ prefix: PIECE, limit, ...from })
      return rows.map((row) => decode(row.value) as PieceRecord)
    },
    async findOrphan(root) {
      const value = await index.get(ORPHAN + root)
      return value && (decode(value) as number)
    },
    async markOrphan(root, seenAtMs) {
      await index.apply([{ key: ORPHAN + root, value: encode(seenAtMs) }])
    },
    async forgetOrphan(root) {
      await index.apply([{ key: ORPHAN + root }])
    },
    async listNonces(after) {
      const from = after ? { after: nonceKey(after) } : {}
      const rows = await index.list({ prefix: NONCE, limit: MAX_NONCES, ...from })
      return rows.map(({ value }) => decode(value) as UsedNonce)
    },
    async forgetNonces(nonces) {
      if (nonces.length > 0) await index.apply(nonces.map((used) => ({ key: nonceKey(used) })))
    },
  }
}

function changesBeside({ used, changes = [] }: Beside = {}): readonly IndexChange[] {
  return used ? [...changes, { key: nonceKey(used), value: encode(used) }] : changes
}

function nonceKey({ nonce, expiry }: UsedNonce): string {
  return `${NONCE}${`${expiry}`.padStart(EXPIRY_DIGITS, '0')}/${nonce}`
}

/** Records are our own: what we wrote, we can read. */
function encode(value: unknown): Uint8Array {
  return utf8(JSON.stringify(value))
}

function decode(value: Uint8Array): unknown {
  return JSON.parse(textFromUtf8(value))
}
