import type { Chain, EpochInfo } from '@memo/core'
import type { EventSink } from '../events.ts'
import type { OrderReader } from '../server/order-reader.ts'
import type { Custody } from './custody.ts'
import type { OrderRecord, OrderRow, ReleasedPiece } from './order-rows.ts'
import { sizeOf } from './orders.ts'

export type OrderSweepOptions = {
  readonly chain: Chain
  readonly custody: Custody
  readonly reader: OrderReader
  readonly log: EventSink
  readonly graceSeconds: number
}

/** What one pass did. */
export type OrderSweepResult = { readonly released: number; readonly ended: number }

/** Ends claims whose time is over: of pieces that were given up, and of orders that have ended or are too small. */
export type OrderSweeper = {
  /** One pass. Rejects when the chain does not answer; what was done until then stays done. */
  sweep(signal: AbortSignal): Promise<OrderSweepResult>
}

const PAGE = 500

/** A sweeper over the records of `custody` (`spec/provider.md` 17 and 18). */
export function createOrderSweeper({ chain, custody, reader, log, graceSeconds }: OrderSweepOptions): OrderSweeper {
  const { accounts, rows, inTurn } = custody.orders
  /** Epochs in which orders were read and were not over: who ends one early ends it with an epoch. */
  const running = new Map<number, bigint>()

  const markFree = async ({ orderId, root }: ReleasedPiece, freeFrom: number) =>
    await inTurn(`${orderId}`, async () => {
      const row = await rows.find(orderId, root)
      if (!row || row.isHeld || row.isCommitted || row.freeFrom !== undefined) return
      await rows.apply(rows.changes(orderId, { ...row, freeFrom }))
    })
  const sweepReleased = async (epochs: EpochInfo, signal: AbortSignal): Promise<number> => {
    const mayEnd = ({ isHeld, isCommitted, freeFrom }: OrderRow) =>
      !isHeld && !isCommitted && freeFrom !== undefined && BigInt(freeFrom) <= epochs.closedBefore
    let ended = 0
    for (let after: ReleasedPiece | undefined; ; ) {
      signal.throwIfAborted()
      const page = await rows.listReleased(after, PAGE)
      for (const piece of page) {
        const row = await rows.find(piece.orderId, piece.root)
        if (row && row.freeFrom === undefined && !row.isCommitted) await markFree(piece, Number(epochs.current) + 1)
        else if (row && mayEnd(row) && (await custody.endOrderClaim(piece.orderId, piece.root, mayEnd))) ended++
      }
      after = page.at(-1)
      if (page.length < PAGE) return ended
    }
  }
  /** Changes what is remembered of an order, as it stands when nobody else does. */
  const setOverSince = async (orderId: number, overSince: number | undefined) =>
    await inTurn(`${orderId}`, async () => {
      const record = await rows.findOrder(orderId)
      if (record) await rows.apply([rows.orderChange({ ...record, overSince })])
    })
  const endOrder = async (orderId: number, signal: AbortSignal): Promise<number> => {
    let pieces = 0
    for (;;) {
      signal.throwIfAborted()
      const page = await rows.list(orderId, undefined, PAGE)
      for (const { root } of page) if (await custody.endOrderClaim(orderId, root, () => true)) pieces++
      if (page.length < PAGE) break
    }
    await inTurn(`${orderId}`, async () => {
      // A piece may have been committed under it while the rest was let go; the next pass ends that.
      if ((await rows.list(orderId, undefined, 1)).length === 0) await rows.apply([rows.dropOrderChange(orderId)])
    })
    return pieces
  }
  const sweepOrder = async ({ orderId, overSince }: OrderRecord, epochs: EpochInfo, signal: AbortSignal) => {
    if (running.get(orderId) === epochs.current) return false
    const order = await reader.refresh(orderId)
    if (!order) return false
    running.delete(orderId)
    const isOver = order.end <= epochs.current
    // A user shrinks an order alone, and would keep all that is under it for the price of a byte.
    const isShort = accounts.usedBytes(`order ${orderId}`) > sizeOf(order)
    if (!isOver && !isShort) {
      running.set(orderId, epochs.current)
      if (overSince !== undefined) await setOverSince(orderId, undefined)
      return false
    }
    const { timestamp } = await chain.getBlock()
    // Who pays for an hour is not kept for a week.
    const ranSeconds = Number((order.end - order.start) * epochs.epochSeconds)
    const keptSeconds = isOver ? Math.min(graceSeconds, ranSeconds) : graceSeconds
    const why = isOver ? 'is over' : 'was shrunk under what is held'
    if (overSince === undefined) {
      await setOverSince(orderId, timestamp)
      const message = `order ${orderId} ${why}; what is held under it is kept for ${keptSeconds} seconds`
      log({ type: isOver ? 'order-over' : 'order-short', level: 'info', message, orderId, graceSeconds: keptSeconds })
    }
    const paidTo = isOver ? order.end : (order.segments.at(-1)?.from ?? order.end)
    if (timestamp - (overSince ?? timestamp) < keptSeconds || epochs.closedBefore < paidTo) return false
    const pieces = await endOrder(orderId, signal)
    const message = `order ${orderId} ${why} and its grace has passed: ${pieces} pieces are given up`
    log({ type: 'order-collected', level: 'info', message, orderId, pieces })
    return true
  }

  return {
    async sweep(signal) {
      const epochs = await chain.getEpochs()
      const released = await sweepReleased(epochs, signal)
      let ended = 0
      for (let after = 0; ; ) {
        signal.throwIfAborted()
        const page = await rows.listOrders(after, PAGE)
        for (const record of page) if (await sweepOrder(record, epochs, signal)) ended++
        after = page.at(-1)?.orderId ?? after
        if (page.length < PAGE) return { released, ended }
      }
    },
  }
}
