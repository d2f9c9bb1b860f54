import {
  type CosignedCommitment,
  cosignedCommitmentToJson,
  findCosignedCommitmentFromJson,
  type IndexChange,
  type IndexStore,
  textFromUtf8,
  utf8,
} from '@memo/core'

/** A piece under an order, as the provider remembers it. */
export type OrderRow = {
  /** 64 hex digits. */
  readonly root: string
  readonly sizeBytes: number
  /** False from the moment at which the user gave it up. */
  readonly isHeld: boolean
  /** The newest commitment counts it. */
  readonly isCommitted: boolean
  /** Of one that was given up and is not committed: it may go when the epochs before this one are beyond dispute. */
  readonly freeFrom?: number | undefined
}

/** What the provider remembers of an order itself. */
export type OrderRecord = {
  readonly orderId: number
  readonly commitment?: CosignedCommitment | undefined
  /** Time of the block (seconds since 1970) at which the order was first seen to be over. */
  readonly overSince?: number | undefined
}

/** Orders and their pieces in an {@link IndexStore}. What changes with something else is given as changes. */
export type OrderRows = {
  findOrder(orderId: number): Promise<OrderRecord | undefined>
  /** By number, after `after`. */
  listOrders(after: number, limit: number): Promise<readonly OrderRecord[]>
  orderChange(record: OrderRecord): IndexChange
  dropOrderChange(orderId: number): IndexChange
  find(orderId: number, root: string): Promise<OrderRow | undefined>
  /** By root, after `after`. */
  list(orderId: number, after: string | undefined, limit: number): Promise<readonly OrderRow[]>
  changes(orderId: number, row: OrderRow): readonly IndexChange[]
  dropChanges(orderId: number, root: string): readonly IndexChange[]
  /** Pieces that were given up and not removed yet, of all orders. */
  listReleased(after: ReleasedPiece | undefined, limit: number): Promise<readonly ReleasedPiece[]>
  apply(changes: readonly IndexChange[]): Promise<void>
}

export type ReleasedPiece = { readonly orderId: number; readonly root: string }

const ORDER = 'order/'
const PIECE = 'order-piece/'
const RELEASED = 'order-released/'
const ID_DIGITS = 16

export function createOrderRows(index: IndexStore): OrderRows {
  return {
    async findOrder(orderId) {
      const value = await index.get(ORDER + idText(orderId))
      return value && recordFromBytes(orderId, value)
    },
    async listOrders(after, limit) {
      const rows = await index.list({ prefix: ORDER, after: ORDER + idText(after), limit })
      return rows.map(({ key, value }) => recordFromBytes(Number(key.slice(ORDER.length)), value))
    },
    orderChange({ orderId, commitment, overSince }) {
      const value = encode({ overSince, commitment: commitment && cosignedCommitmentToJson(commitment) })
      return { key: ORDER + idText(orderId), value }
    },
    dropOrderChange: (orderId) => ({ key: ORDER + idText(orderId) }),
    async find(orderId, root) {
      const value = await index.get(pieceKey(orderId, root))
      return value && (decode(value) as OrderRow)
    },
    async list(orderId, after, limit) {
      const from = after === undefined ? {} : { after: pieceKey(orderId, after) }
      const rows = await index.list({ prefix: pieceKey(orderId, ''), limit, ...from })
      return rows.map(({ value }) => decode(value) as OrderRow)
    },
    changes(orderId, row) {
      const key = releasedKey({ orderId, root: row.root })
      const released = row.isHeld ? { key } : { key, value: encode({ orderId, root: row.root }) }
      return [{ key: pieceKey(orderId, row.root), value: encode(row) }, released]
    },
    dropChanges: (orderId, root) => [{ key: pieceKey(orderId, root) }, { key: releasedKey({ orderId, root }) }],
    async listReleased(after, limit) {
      const from = after === undefined ? {} : { after: releasedKey(after) }
      const rows = await index.list({ prefix: RELEASED, limit, ...from })
      return rows.map(({ value }) => decode(value) as ReleasedPiece)
    },
    apply: (changes) => index.apply(changes),
  }
}

function recordFromBytes(orderId: number, value: Uint8Array): OrderRecord {
  const { overSince, commitment } = decode(value) as { overSince?: number; commitment?: unknown }
  return { orderId, overSince, commitment: findCosignedCommitmentFromJson(commitment) }
}

function idText(orderId: number): string {
  return `${orderId}`.padStart(ID_DIGITS, '0')
}

function pieceKey(orderId: number, root: string): string {
  return `${PIECE}${idText(orderId)}/${root}`
}

function releasedKey({ orderId, root }: ReleasedPiece): string {
  return `${RELEASED}${idText(orderId)}/${root}`
}

/** Records are our own: what we wrote, we can read. */
function encode(value: unknown): Uint8Array {
  return utf8(JSON.stringify(value))
}

function decode(value: Uint8Array): unknown {
  return JSON.parse(textFromUtf8(value))
}
