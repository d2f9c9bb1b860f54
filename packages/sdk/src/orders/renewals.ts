import { type Address, type Clock, type EpochInfo, MemoError, type Timers } from '@memo/core'
import { EscrowTooSmallError } from './errors.ts'
import type { OrderEvent } from './events.ts'
import type { OrderMoney } from './money.ts'
import { secondsLeft } from './plan.ts'
import type { OrderPolicy } from './policy.ts'
import type { ProviderOrders } from './provider-orders.ts'
import type { OrderSet } from './set.ts'
import type { OrderRecord } from './store.ts'

export type RenewalsOptions = {
  readonly clock: Clock
  readonly timers: Timers
  readonly money: OrderMoney
  /** Resolves once the book has read its store. */
  ready(): Promise<void>
  forgetOver(epochs: EpochInfo): Promise<void>
  readonly policy: OrderPolicy
  listProviders(): readonly ProviderOrders[]
  openSet(orderId: bigint): Promise<OrderSet>
  readEpochs(): Promise<EpochInfo>
  emit(event: OrderEvent): void
  /** Has what an order holds that is over come under another one. */
  revive(lapsed: OrderRecord): Promise<void>
  /** Has what is under no order any more come under one. */
  cover(provider: Address): Promise<void>
  /** Keeps an eye on work that nobody waits for. */
  follow(work: Promise<unknown>): void
  readonly closed: AbortSignal
}

/** Renews orders that hold something, and warns of those that it could not renew (`spec/sdk.md` 19). */
export type Renewals = {
  renewDue(): Promise<void>
  /** Until the book is closed. */
  run(): Promise<void>
}

export function createRenewals(options: RenewalsOptions): Renewals {
  const { clock, timers, money, policy, emit, closed } = options
  const warnedMs = new Map<string, number>()
  /** What is done about the orders with a provider: one that is slow, or never comes to an end, holds up nobody else's. */
  const underWay = new Map<Address, Promise<void>>()

  /** Says a thing once, and again when it is still so much later. */
  const warn = (key: string, event: OrderEvent) => {
    const lastMs = warnedMs.get(key)
    if (lastMs !== undefined && clock.nowMs() - lastMs < policy.warnEverySeconds * 1_000) return
    warnedMs.set(key, clock.nowMs())
    emit(event)
  }
  const warnOf = (orders: ProviderOrders, thrown: MemoError) => {
    if (thrown instanceof EscrowTooSmallError) {
      const { freeAtto, neededAtto } = thrown.details as { freeAtto: string; neededAtto: string }
      return warn('escrow', { type: 'escrow-low', freeAtto, neededAtto })
    }
    const { name: error, message } = thrown
    warn(`waits ${orders.provider}`, { type: 'order-waits', provider: orders.provider, error, message })
  }
  const warnOfEnd = ({ orderId, provider, sizeBytes, end }: OrderRecord, epochs: EpochInfo) => {
    const left = secondsLeft(end, epochs)
    const isSoon = left <= policy.endingSeconds && left * policy.renewAtTermPart <= policy.termSeconds
    if (!isSoon) return
    const facts = { orderId: Number(orderId), provider, sizeBytes, endEpoch: Number(end) }
    if (left === 0) warn(`lapsed ${orderId}`, { type: 'order-lapsed', ...facts })
    else warn(`ending ${orderId}`, { type: 'order-ending', ...facts, secondsLeft: left })
  }
  /** Does what is due for one order; what does not come about is warned of and tried again. */
  const attempt = async (orders: ProviderOrders, work: () => Promise<void>) => {
    try {
      await work()
    } catch (thrown) {
      if (closed.aborted || !(thrown instanceof MemoError)) throw thrown
      warnOf(orders, thrown)
    }
  }
  const lookAfter = async (orders: ProviderOrders, epochs: EpochInfo) => {
    const records = orders.list()
    if (records.length === 0) await attempt(orders, async () => await orders.renewIfDue(undefined))
    for (const record of records) {
      const set = await options.openSet(record.orderId)
      // An order that holds nothing may end: the next piece opens another.
      if (set.heldBytes() === 0) continue
      const isOver = record.end <= epochs.current
      if (!isOver && !(await isShown(orders, record))) continue
      await attempt(orders, async () => await (isOver ? options.revive(record) : orders.renewIfDue(record)))
      const now = orders.list().find(({ orderId }) => orderId === record.orderId)
      if (now && set.heldBytes() > 0) warnOfEnd(now, epochs)
    }
    await attempt(orders, async () => await options.cover(orders.provider))
  }
  /** A chain that rewinds forgets orders; where it does not answer, they are believed to be there. */
  const isShown = async (orders: ProviderOrders, record: OrderRecord) => {
    let shown = true
    await attempt(orders, async () => {
      shown = await orders.look(record)
    })
    return shown
  }
  const begin = (orders: ProviderOrders, epochs: EpochInfo): Promise<void> => {
    const begun = lookAfter(orders, epochs).finally(() => underWay.delete(orders.provider))
    underWay.set(orders.provider, begun)
    return begun
  }
  const renewDue = async () => {
    await options.ready()
    const epochs = await options.readEpochs()
    await Promise.all(options.listProviders().map((one) => underWay.get(one.provider) ?? begin(one, epochs)))
    await options.forgetOver(epochs)
  }
  /** Nobody waits for it: what did not come about is tried again. */
  const tell = (thrown: unknown) => {
    if (closed.aborted) return
    if (!(thrown instanceof MemoError)) throw thrown
    warn('chain', { type: 'order-waits', provider: money.account, error: thrown.name, message: thrown.message })
  }
  /** Begins what is due where nothing is under way, and waits for none of it. */
  const beginDue = async () => {
    await options.ready()
    const epochs = await options.readEpochs()
    const idle = options.listProviders().filter(({ provider }) => !underWay.has(provider))
    for (const orders of idle) options.follow(begin(orders, epochs).catch(tell))
    await options.forgetOver(epochs)
  }
  return {
    renewDue,
    async run() {
      while (!closed.aborted) {
        await beginDue().catch(tell)
        await timers.sleep(policy.checkMs, closed).catch(() => undefined) // only a close ends it early
      }
    },
  }
}
