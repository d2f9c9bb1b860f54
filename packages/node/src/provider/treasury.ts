import {
  type Clock,
  createTurns,
  type Earnings,
  type EpochInfo,
  envelopeFromError,
  findVoucher,
  incomeUntil,
  minOf,
  type OrderInfo,
} from '@memo/core'
import type { EventSink } from '../events.ts'
import type { OrderReader } from '../server/order-reader.ts'
import type { Ledger } from './ledger.ts'
import type { ProviderLimits } from './limits.ts'
import type { MoneyEvent, ProviderMoney } from './money-port.ts'
import type { ReadPayments } from './read-payments.ts'
import type { VoucherRow, VoucherRows } from './voucher-rows.ts'

/** Collects what a provider has earned, and says how much it is (`spec/provider.md` 21 and 22). */
export type Treasury = {
  /** Settles orders and redeems vouchers that are worth it, or with `isForced` all. One pass after another. */
  collect(signal: AbortSignal, isForced?: boolean): Promise<void>
  /** Presents every voucher that is worth anything. */
  redeemAll(signal: AbortSignal): Promise<void>
  getEarnings(): Promise<Earnings>
}

export type TreasuryOptions = {
  readonly clock: Clock
  readonly money: ProviderMoney
  readonly ledger: Ledger
  readonly reader: OrderReader
  readonly vouchers: VoucherRows
  readonly payments: ReadPayments
  readonly log: EventSink
  readonly limits: Pick<
    ProviderLimits,
    | 'settleEveryEpochs'
    | 'settleThresholdAtto'
    | 'redeemThresholdAtto'
    | 'redeemAgeMs'
    | 'redeemGasTimes'
    | 'attoPerGasWei'
  >
}

const PAGE = 500
const ONE = 'one pass after another'
/** Reading events once before an answer. */
const READ_TIMEOUT_MS = 60_000
/** What the transaction of a voucher was seen to take where the provider has no income in escrow yet, which is the most. */
const REDEEM_GAS = 95_000n

export function createTreasury(options: TreasuryOptions): Treasury {
  const { clock, money, ledger, reader, vouchers, payments, log, limits } = options
  const inTurn = createTurns()
  /** Orders as they were read last: they are asked for again when they may be worth settling. */
  const known = new Map<bigint, OrderInfo>()
  let pinnedEpoch = -1n

  const fail = (what: string, thrown: unknown, signal: AbortSignal) => {
    signal.throwIfAborted()
    log({
      type: 'collecting-failed',
      level: 'warn',
      message: `${what}; it is tried again`,
      ...envelopeFromError(thrown),
    })
  }
  const readEvents = async (signal: AbortSignal): Promise<void> => {
    const { mark } = await ledger.getTotals()
    if (mark && !(await money.stands(mark))) {
      // Before the mark is forgotten: over a crash it must be known that what was paid may have come back.
      for await (const row of listVouchers()) await payments.refresh(row, true)
      await ledger.reset()
      known.clear()
    }
    for (let isLast = false; !isLast; ) {
      signal.throwIfAborted()
      const stretch = await money.readEvents((await ledger.getTotals()).mark, signal)
      // Before the events are behind us: over a crash it must be known who leaves.
      await noteClosing(stretch.events)
      await ledger.add(stretch)
      isLast = stretch.isLast
    }
  }
  /** What payers owe who take back what they locked is collected at once. */
  const noteClosing = async (events: readonly MoneyEvent[]): Promise<void> => {
    const closing = events.filter((event) => event.type === 'reads-closing')
    if (closing.length > 0) await payments.flush()
    for (const { orderId, payer } of closing) {
      const row = await vouchers.find(Number(orderId), payer)
      if (row) await payments.refresh(row)
    }
  }
  const refreshOrder = async (orderId: bigint): Promise<OrderInfo | undefined> => {
    const order = await reader.refresh(Number(orderId))
    if (order) known.set(orderId, order)
    return order
  }
  const isWorthIt = (order: OrderInfo, { closedBefore }: EpochInfo, isForced: boolean): boolean => {
    const payable = minOf(closedBefore, order.end) - order.settledTo
    // Until an order is paid out to its end, what it was promised is not free for others.
    if (isForced || order.end <= closedBefore) return payable > 0n
    const isLong = payable >= BigInt(limits.settleEveryEpochs)
    return isLong && incomeUntil(order, closedBefore) >= limits.settleThresholdAtto
  }
  /** Pays out what is beyond dispute; forgets orders that are paid out to their end. */
  const settleOrder = async (orderId: bigint, epochs: EpochInfo, isForced: boolean, signal: AbortSignal) => {
    const last = known.get(orderId) ?? (await refreshOrder(orderId))
    if (!last || !(isWorthIt(last, epochs, isForced) || last.end <= epochs.current)) return
    let settledTo = -1n
    for (let order = await refreshOrder(orderId); order; order = await refreshOrder(orderId)) {
      if (order.settledTo >= order.end && order.end <= epochs.current) {
        await ledger.close(orderId)
        known.delete(orderId)
        return
      }
      if (!isWorthIt(order, epochs, isForced) || order.settledTo <= settledTo) return
      settledTo = order.settledTo
      await money.settleOrder(orderId, signal)
      pinnedEpoch = epochs.current
    }
  }
  const listOpen = async function* (): AsyncGenerator<bigint> {
    for (let after: bigint | undefined; ; ) {
      const page = await ledger.listOpen(after, PAGE)
      yield* page
      after = page.at(-1)
      if (page.length < PAGE) return
    }
  }
  /** Settles what is worth it; gives whether some epochs are over and not beyond dispute yet. */
  const settleWorth = async (epochs: EpochInfo, isForced: boolean, signal: AbortSignal): Promise<boolean> => {
    let isWaiting = false
    for await (const orderId of listOpen()) {
      signal.throwIfAborted()
      try {
        await settleOrder(orderId, epochs, isForced, signal)
      } catch (thrown) {
        fail(`order ${orderId} could not be settled`, thrown, signal)
      }
      const order = known.get(orderId)
      if (order) isWaiting ||= minOf(epochs.current, order.end) > order.settledTo
    }
    return isWaiting
  }
  const settleAll = async (isForced: boolean, signal: AbortSignal): Promise<void> => {
    const epochs = await money.getEpochs()
    const isWaiting = await settleWorth(epochs, isForced, signal)
    const isPinDue = isForced || epochs.current - pinnedEpoch >= BigInt(limits.settleEveryEpochs)
    if (!isWaiting || !isPinDue || pinnedEpoch === epochs.current) return
    await money.pinEpoch(signal)
    pinnedEpoch = epochs.current
    if (isForced) await settleWorth(await money.getEpochs(), isForced, signal)
  }
  const isRedeemable = ({ bytesRead, bytesPaid, isVoid }: VoucherRow) => bytesRead > bytesPaid && !isVoid
  /** What is paid, or void, and not deep enough in the chain to be so for good. */
  const isSettling = ({ bytesPaid, bytesSettled, isVoid }: VoucherRow) => bytesPaid > bytesSettled || isVoid
  /** Dust waits until it is worth its gas several times; what is about to be void, or asked for, must bring its gas. */
  const isWorthRedeeming = (row: VoucherRow, isForced: boolean, gasAtto: bigint): boolean => {
    if (!isRedeemable(row)) return false
    const worthAtto = worthOf(row)
    if (worthAtto === 0n) return false
    if (isForced || row.isClosing) return worthAtto >= gasAtto
    const isDue = worthAtto >= limits.redeemThresholdAtto || clock.nowMs() - row.heldSinceMs >= limits.redeemAgeMs
    return isDue && worthAtto >= gasAtto * BigInt(limits.redeemGasTimes)
  }
  const getGasAtto = async (): Promise<bigint> => {
    if (limits.attoPerGasWei === 0n) return 0n
    return REDEEM_GAS * (await money.getGasPriceWei()) * limits.attoPerGasWei
  }
  const redeem = async (row: VoucherRow, isForced: boolean, gasAtto: bigint, signal: AbortSignal): Promise<void> => {
    const newest = await payments.refresh(row)
    const signed = newest && findVoucher(newest.text)
    if (newest && signed && isWorthRedeeming(newest, isForced, gasAtto)) {
      await money.redeemReads(signed, signal)
      await payments.refresh(newest)
    }
  }
  const listVouchers = async function* (): AsyncGenerator<VoucherRow> {
    for (let after: VoucherRow | undefined; ; ) {
      const page = await vouchers.list(after, PAGE)
      yield* page
      after = page.at(-1)
      if (page.length < PAGE) return
    }
  }
  const redeemWorth = async (isForced: boolean, signal: AbortSignal): Promise<void> => {
    await payments.flush()
    let gasAtto: bigint | undefined
    for await (const row of listVouchers()) {
      signal.throwIfAborted()
      if (!isSettling(row) && !isWorthRedeeming(row, isForced, gasAtto ?? 0n)) continue
      try {
        gasAtto ??= await getGasAtto()
        if (isSettling(row) || isWorthRedeeming(row, isForced, gasAtto)) await redeem(row, isForced, gasAtto, signal)
      } catch (thrown) {
        fail(`a voucher under order ${row.orderId} could not be redeemed`, thrown, signal)
      }
    }
  }

  return {
    collect: (signal, isForced = false) =>
      inTurn(ONE, async () => {
        await readEvents(signal)
        await redeemWorth(isForced, signal)
        await settleAll(isForced, signal)
        await readEvents(signal)
      }),
    redeemAll: (signal) => inTurn(ONE, () => redeemWorth(true, signal)),
    getEarnings: () =>
      inTurn(ONE, async () => {
        await readEvents(AbortSignal.timeout(READ_TIMEOUT_MS))
        await payments.flush()
        const [epochs, escrowFreeAtto, totals] = await Promise.all([
          money.getEpochs(),
          money.getFreeEscrowAtto(),
          ledger.getTotals(),
        ])
        const storing = { settledAtto: totals.settledAtto, waitingAtto: 0n, orders: 0 }
        for await (const orderId of listOpen()) {
          const order = await refreshOrder(orderId)
          if (!order) continue
          storing.waitingAtto += incomeUntil(order, epochs.current)
          storing.orders++
        }
        const reading = { redeemedAtto: totals.redeemedAtto, heldAtto: 0n, vouchers: 0 }
        for await (const row of listVouchers()) {
          if (!isRedeemable(row)) continue
          reading.heldAtto += worthOf(row)
          reading.vouchers++
        }
        return { storing, reading, escrowFreeAtto, block: totals.mark?.block ?? 0 }
      }),
  }
}

function worthOf({ bytesRead, bytesPaid, priceAttoPerByte }: VoucherRow): bigint {
  return (bytesRead - bytesPaid) * priceAttoPerByte
}
