import type { Address } from '@memo/core'

/** What bytes are counted under: an order, or an account that has none. */
export type AccountKey = `order ${number}` | `unpaid ${Address}`

/** Bytes that an upload has to itself until they are released. */
export type Hold = {
  /** Gives back what was held beyond `sizeBytes`. */
  settle(sizeBytes: number): void
  /** Gives everything back; again does nothing. */
  release(): void
}

/** How many bytes each order and each account without one holds or is about to, so that no size is used twice. */
export type ByteAccounts = {
  add(key: AccountKey, bytes: number): void
  subtract(key: AccountKey, bytes: number): void
  /** Held and reserved. */
  usedBytes(key: AccountKey): number
  /** Counts bytes that were given up and are kept until nobody can dispute them any more; less where negative. */
  keep(key: AccountKey, bytes: number): void
  keptBytes(key: AccountKey): number
  /** Held and reserved under all orders. */
  readonly paidBytes: number
  reserve(key: AccountKey, bytes: number): Hold
}

/** The account that a claim counts under. */
export function accountKeyOf({
  orderId,
  account,
}: {
  readonly orderId: number
  readonly account: Address
}): AccountKey {
  return orderId === 0 ? `unpaid ${account}` : `order ${orderId}`
}

export function createByteAccounts(): ByteAccounts {
  const used = new Map<AccountKey, number>()
  const kept = new Map<AccountKey, number>()
  let paidBytes = 0
  const count = (counts: Map<AccountKey, number>, key: AccountKey, bytes: number) => {
    const sum = (counts.get(key) ?? 0) + bytes
    if (sum === 0) counts.delete(key)
    else counts.set(key, sum)
  }
  const add = (key: AccountKey, bytes: number) => {
    count(used, key, bytes)
    if (key.startsWith('order')) paidBytes += bytes
  }
  return {
    add,
    subtract: (key, bytes) => add(key, -bytes),
    usedBytes: (key) => used.get(key) ?? 0,
    keep: (key, bytes) => count(kept, key, bytes),
    keptBytes: (key) => kept.get(key) ?? 0,
    get paidBytes() {
      return paidBytes
    },
    reserve(key, bytes) {
      let reserved = bytes
      add(key, bytes)
      const shrink = (left: number) => {
        add(key, left - reserved)
        reserved = left
      }
      return { settle: (sizeBytes) => shrink(Math.min(reserved, sizeBytes)), release: () => shrink(0) }
    },
  }
}
