import { type Address, type IndexChange, type IndexStore, textFromUtf8, utf8 } from '@memo/core'

/** The newest voucher of one payer under one order, as the provider remembers it. */
export type VoucherRow = {
  readonly orderId: number
  readonly payer: Address
  /** As it came in the header. */
  readonly text: string
  /** Of the allowance that the voucher names. */
  readonly seq: bigint
  readonly bytesRead: bigint
  /** Of them, paid on the chain, as it was last read. */
  readonly bytesPaid: bigint
  readonly priceAttoPerByte: bigint
  /** Of them, paid in a block that is deep enough: what is paid above may come back to be paid again. */
  readonly bytesSettled: bigint
  /** The newest block when {@link bytesPaid} and {@link isVoid} were first seen as they are; undefined before the first look. */
  readonly seenAtBlock: number | undefined
  /** Its allowance was closed: worth nothing, unless the chain takes that back. */
  readonly isVoid: boolean
  /** Its payer takes back what he locked. */
  readonly isClosing: boolean
  /** Since when, in milliseconds, there has been something to redeem. */
  readonly heldSinceMs: number
}

/** Vouchers in an {@link IndexStore}, by order and payer. */
export type VoucherRows = {
  find(orderId: number, payer: Address): Promise<VoucherRow | undefined>
  list(after: VoucherRow | undefined, limit: number): Promise<readonly VoucherRow[]>
  put(rows: readonly VoucherRow[]): Promise<void>
  remove(row: VoucherRow): Promise<void>
}

const VOUCHER = 'voucher/'
const ID_DIGITS = 16

export function createVoucherRows(index: IndexStore): VoucherRows {
  return {
    async find(orderId, payer) {
      const value = await index.get(keyOf({ orderId, payer }))
      return value && decode(value)
    },
    async list(after, limit) {
      const rows = await index.list({ prefix: VOUCHER, limit, ...(after ? { after: keyOf(after) } : {}) })
      return rows.map(({ value }) => decode(value))
    },
    async put(rows) {
      const changes: IndexChange[] = rows.map((row) => ({ key: keyOf(row), value: encode(row) }))
      if (changes.length > 0) await index.apply(changes)
    },
    async remove(row) {
      await index.apply([{ key: keyOf(row) }])
    },
  }
}

function keyOf({ orderId, payer }: Pick<VoucherRow, 'orderId' | 'payer'>): string {
  return `${VOUCHER}${`${orderId}`.padStart(ID_DIGITS, '0')}/${payer}`
}

/** Records are our own: what we wrote, we can read. */
function encode(row: VoucherRow): Uint8Array {
  return utf8(JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? `${value}` : value)))
}

function decode(value: Uint8Array): VoucherRow {
  const row = JSON.parse(textFromUtf8(value)) as VoucherRow & Record<string, string>
  const { seq, bytesRead, bytesPaid, bytesSettled, priceAttoPerByte } = row
  return {
    ...row,
    seq: BigInt(seq),
    bytesRead: BigInt(bytesRead),
    bytesPaid: BigInt(bytesPaid),
    bytesSettled: BigInt(bytesSettled),
    priceAttoPerByte: BigInt(priceAttoPerByte),
  }
}
