import { type Address, type IndexChange, type IndexStore, textFromUtf8, type UsedNonce, utf8 } from '@memo/core'

/** What a receipt promises, beside root and size. */
export type ReceiptPromise = {
  readonly orderId: number
  /** Unix seconds. */
  readonly expiry: number
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
  /** Accounts that uploaded it, each with its receipt. */
  readonly owners: Readonly<Record<Address, ReceiptPromise>>
  /** Keepers have known an entry that needs it here. */
  readonly wasPlaced?: boolean
}

/** The provider's records, durable in an {@link IndexStore}. */
export type PieceBook = {
  find(root: string): Promise<PieceRecord | undefined>
  /** `used`: the nonce of the request that asked for the change, remembered with it. */
  put(record: PieceRecord, used?: UsedNonce): Promise<void>
  remove(root: string, used?: UsedNonce): Promise<void>
  /** By root, after `after`. */
  list(after: string | undefined, limit: number): Promise<readonly PieceRecord[]>
  /** When a piece without record was first seen, in milliseconds; undefined when it was not. */
  findOrphan(root: string): Promise<number | undefined>
  markOrphan(root: string, seenAtMs: number): Promise<void>
  forgetOrphan(root: string): Promise<void>
  /** Nonces of changes, those that expire first before the others. */
  listNonces(): Promise<readonly UsedNonce[]>
  forgetNonces(nonces: readonly UsedNonce[]): Promise<void>
}

const PIECE = 'piece/'
const ORPHAN = 'orphan/'
const NONCE = 'nonce/'
/** More are not accepted in the time that a nonce lives. */
const MAX_NONCES = 200_000
const EXPIRY_DIGITS = 12

export function createPieceBook(index: IndexStore): PieceBook {
  return {
    async find(root) {
      const value = await index.get(PIECE + root)
      return value && (decode(value) as PieceRecord)
    },
    async put(record, used) {
      const change = { key: PIECE + record.root, value: encode(record) }
      await index.apply([change, { key: ORPHAN + record.root }, ...nonceChanges(used)])
    },
    async remove(root, used) {
      await index.apply([{ key: PIECE + root }, ...nonceChanges(used)])
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
    async listNonces() {
      const rows = await index.list({ prefix: NONCE, limit: MAX_NONCES })
      return rows.map(({ value }) => decode(value) as UsedNonce)
    },
    async forgetNonces(nonces) {
      if (nonces.length > 0) await index.apply(nonces.map((used) => ({ key: nonceKey(used) })))
    },
  }
}

function nonceChanges(used: UsedNonce | undefined): IndexChange[] {
  return used ? [{ key: nonceKey(used), value: encode(used) }] : []
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
