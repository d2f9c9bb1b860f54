import { type Address, type IndexStore, textFromUtf8, utf8 } from '@memo/core'

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
}

/** The provider's records, durable in an {@link IndexStore}. */
export type PieceBook = {
  find(root: string): Promise<PieceRecord | undefined>
  put(record: PieceRecord): Promise<void>
  remove(root: string): Promise<void>
  /** By root, after `after`. */
  list(after: string | undefined, limit: number): Promise<readonly PieceRecord[]>
  /** When a piece without record was first seen, in milliseconds; undefined when it was not. */
  findOrphan(root: string): Promise<number | undefined>
  markOrphan(root: string, seenAtMs: number): Promise<void>
  forgetOrphan(root: string): Promise<void>
}

const PIECE = 'piece/'
const ORPHAN = 'orphan/'

export function createPieceBook(index: IndexStore): PieceBook {
  return {
    async find(root) {
      const value = await index.get(PIECE + root)
      return value && (decode(value) as PieceRecord)
    },
    async put(record) {
      await index.apply([{ key: PIECE + record.root, value: encode(record) }, { key: ORPHAN + record.root }])
    },
    async remove(root) {
      await index.apply([{ key: PIECE + root }])
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
  }
}

/** Records are our own: what we wrote, we can read. */
function encode(value: unknown): Uint8Array {
  return utf8(JSON.stringify(value))
}

function decode(value: Uint8Array): unknown {
  return JSON.parse(textFromUtf8(value))
}
