import {
  type Address,
  type AmendmentTerms,
  type Clock,
  type EpochInfo,
  MemoError,
  type OrderTerms,
  type ProviderClient,
  type Quote,
  type Randomness,
  type Timers,
} from '@memo/core'
import { orAborted } from '../flow/abortable.ts'
import { carryOut, recordOf, takeUp } from './change.ts'
import { EscrowTooSmallError, isOrderRefused, NoRoomError, PriceTooHighError } from './errors.ts'
import type { OrderEvent } from './events.ts'
import type { KeptBytes } from './kept.ts'
import { type OrderMoney, refusalReasonOf } from './money.ts'
import {
  isRenewalDue,
  type OrderPlan,
  type OrderShortfall,
  type OrderView,
  planGrow,
  planOpen,
  planRenew,
  secondsLeft,
} from './plan.ts'
import type { OrderPolicy } from './policy.ts'
import type { PriceLimit } from './price-limit.ts'
import type { Purse } from './purse.ts'
import type { OrderSet } from './set.ts'
import type { ChangeRecord, OrderRecord, OrderStore } from './store.ts'

/** What the orders of all providers share. */
export type OrderShared = {
  readonly money: OrderMoney
  readonly store: OrderStore
  readonly purse: Purse
  readonly policy: OrderPolicy
  readonly clock: Clock
  readonly random: Randomness
  readonly timers: Timers
  /** Where the chain is, a few seconds old at the most. */
  getEpochs(): Promise<EpochInfo>
  getProvider(address: Address): Promise<ProviderClient>
  readonly getPriceLimit: PriceLimit
  openSet(orderId: bigint): Promise<OrderSet>
  keptOf(orderId: bigint): Promise<KeptBytes>
  /** The chain has forgotten the order: what it held is noted as under none. Resolves with how many bytes that are. */
  uncover(record: OrderRecord): Promise<number>
  /** An order has this number now: one that is remembered by it was forgotten by the chain. */
  vacate(orderId: bigint): Promise<void>
  emit(event: OrderEvent): void
  /** Keeps an eye on work that nobody waits for. */
  follow(work: Promise<unknown>): void
  /** Aborted when the book is closed. */
  readonly closed: AbortSignal
}

/** Room in an order that one upload has taken. */
export type Room = { readonly order: OrderRecord; readonly set: OrderSet; free(): void }

/** The orders with one provider: one that takes pieces, and one change at a time. */
export type ProviderOrders = {
  readonly provider: Address
  /** All that are known: the one that takes pieces, and those that may hold some still. */
  list(): readonly OrderRecord[]
  /** Takes room for `bytes`; opens or grows the order where there is too little. */
  take(bytes: number, signal: AbortSignal): Promise<Room>
  /** The provider refused an upload under the order: it may be another than we think, or hold more. */
  reconsider(refusal: MemoError): void
  /** Renews one of the orders where that is due, or goes on with a change that was under way. */
  renewIfDue(record: OrderRecord | undefined): Promise<void>
  /** Whether the chain shows it still; one that it has forgotten is given up. Errors: those of the chain. */
  look(record: OrderRecord): Promise<boolean>
  /** The order is long over. */
  forget(orderId: bigint): void
  /** Goes on with a change that was under way when the process ended. */
  resume(change: ChangeRecord): void
}

/** What shall be done to an order. */
type Wish = 'room' | 'renewal'

/** Turns in which a piece looks for room: others may take what was made for it. */
const MAX_TURNS = 8
const NONCE_BYTES = 8
/** An order that names an epoch which has begun begins with the next one, whatever that is when it is mined. */
const AT_ONCE = 0n
/** Providers sign nothing that may be submitted later than this (`spec/provider.md` 14). */
const MAX_SUBMIT_SECONDS = 600
/** How long a quote is believed; the chain refuses what is signed for another price than was meant. */
const QUOTE_MS = 60_000
/** Nodes of a chain may be some blocks apart: what one does not show is looked for again so much later. */
const LOOK_AGAIN_MS = 15_000

export function createProviderOrders(
  shared: OrderShared,
  provider: Address,
  saved: readonly OrderRecord[] = [],
): ProviderOrders {
  const { money, store, purse, policy, clock, closed } = shared
  // The one that runs for longest takes pieces; of those that end together, the newest.
  const known = [...saved].sort((a, b) => Number(a.end - b.end) || Number(a.orderId - b.orderId))
  let order = known.pop()
  let others: readonly OrderRecord[] = known
  let reservedBytes = 0
  /** What those who wait need. */
  let wantedBytes = 0
  /** What the provider counts under the order beyond what we know of. */
  let unknownBytes = 0
  let changing: Promise<void> | undefined
  /** What is remembered may be long ago: the chain may have rewound since. */
  let checking: Promise<unknown> | undefined = saved.length === 0 ? Promise.resolve() : undefined
  let pending: ChangeRecord | undefined
  /** The size that a change under way leaves: nobody takes more, although the order has it still. */
  let plannedBytes = Number.POSITIVE_INFINITY
  let terms: { readonly quote: Quote; readonly untilMs: number } | undefined

  const setOf = async (record: OrderRecord) => await shared.openSet(record.orderId)
  const isMain = (orderId: bigint) => order?.orderId === orderId
  /** An order is as `next` says now; undefined where there is none any more. */
  const adopt = (orderId: bigint, next: OrderRecord | undefined) => {
    if (others.some((one) => one.orderId === orderId)) {
      others = others.flatMap((one) => (one.orderId !== orderId ? [one] : next ? [next] : []))
      return
    }
    if (!isMain(orderId)) {
      if (order) others = [...others, order]
      reservedBytes = 0
    }
    if (!next) reservedBytes = 0
    order = next
    unknownBytes = 0
  }
  /** What takes room beside what is held: given up and kept, or only the provider knows what. */
  const otherBytesOf = async ({ orderId, sizeBytes }: OrderRecord, epochs: EpochInfo) =>
    Math.max(isMain(orderId) ? unknownBytes : 0, (await shared.keptOf(orderId)).usedBytes(sizeBytes, epochs))
  const viewOf = async (record: OrderRecord, epochs: EpochInfo): Promise<OrderView> => {
    const otherBytes = await otherBytesOf(record, epochs)
    const [set, kept] = [await setOf(record), await shared.keptOf(record.orderId)]
    const heldBytes = Math.max(set.heldBytes(), set.tree.usedBytes)
    const comingBytes = isMain(record.orderId) ? reservedBytes : 0
    const mostUsedBytes = heldBytes + comingBytes + Math.max(otherBytes, kept.lyingBytes(epochs))
    return { ...record, usedBytes: set.heldBytes() + comingBytes + otherBytes, mostUsedBytes }
  }
  const getQuote = async () => {
    if (terms && terms.untilMs > clock.nowMs()) return terms.quote
    const [client, account, limit] = await Promise.all([
      shared.getProvider(provider),
      money.findProvider(provider),
      shared.getPriceLimit(),
    ])
    const quote = await client.quote({ signal: closed })
    const recorded = account?.storagePriceAttoPerGiBSecond ?? 0n
    const most = limit !== undefined && limit < recorded ? limit : recorded
    if (quote.priceAttoPerGiBSecond > most) {
      throw new PriceTooHighError(provider, 'a GiB-second', quote.priceAttoPerGiBSecond, most)
    }
    terms = { quote, untilMs: clock.nowMs() + QUOTE_MS }
    return quote
  }

  const planOf = async (wish: Wish, target: OrderRecord | undefined, quote: Quote, epochs: EpochInfo) => {
    const { priceAttoPerGiBSecond, maxOrderEpochs, freeBytes: roomBytes } = quote
    const record = target && isOpen(target, epochs) ? target : undefined
    const view = record && (await viewOf(record, epochs))
    const planned = await purse.plan(
      (freeAtto): { plan: OrderPlan | undefined; costAtto?: bigint } | OrderShortfall => {
        const common = { needBytes: wantedBytes, priceAttoPerGiBSecond, epochs, maxOrderEpochs, roomBytes, freeAtto }
        const plan = !view
          ? planOpen(common, policy)
          : wish === 'room'
            ? planGrow(view, common, policy)
            : planRenew(view, common, policy)
        return plan && 'neededAtto' in plan ? plan : { plan, costAtto: plan?.costAtto ?? 0n }
      },
      closed,
    )
    if ('neededAtto' in planned.plan) throw new EscrowTooSmallError(money.account, planned.plan)
    return { record, plan: planned.plan.plan, ended: planned.ended }
  }
  const change = async (wish: Wish, target: OrderRecord | undefined): Promise<void> => {
    if (pending) return await goOn(pending)
    const [quote, epochs, block] = await Promise.all([getQuote(), money.getEpochs(), money.getBlock()])
    const { record, plan, ended } = await planOf(wish, target, quote, epochs)
    try {
      if (!plan || (record && record.sizeBytes === plan.sizeBytes && record.end === plan.end)) return
      if (record && isMain(record.orderId)) plannedBytes = plan.sizeBytes
      // Somebody may have taken room since the plan was made; who comes now waits for the change.
      const isShrunk = record !== undefined && plan.sizeBytes < record.sizeBytes
      if (isShrunk && (await viewOf(record, epochs)).mostUsedBytes > plan.sizeBytes) return
      const submitBy = submitByOf(block.timestamp, Math.floor(clock.nowMs() / 1_000), policy)
      const priced = { sizeBytes: BigInt(plan.sizeBytes), priceAttoPerGiBSecond: quote.priceAttoPerGiBSecond }
      const common = { ...priced, end: plan.end, submitBy }
      const signed = record ? await amending(record, common) : await opening({ ...common, start: AT_ONCE })
      pending = { ...signed, provider, block: block.number }
      await settle(pending, async () => await carryOut(money, vacating, pending!, closed), plan)
    } finally {
      if (!pending) plannedBytes = Number.POSITIVE_INFINITY
      ended()
    }
  }
  const opening = async (common: Omit<OrderTerms, 'user' | 'provider' | 'nonce'>) => {
    const nonce = await store.takeNonce(() => uint64Of(shared.random.bytes(NONCE_BYTES)))
    const full: OrderTerms = { user: money.account, provider, nonce, ...common }
    const client = await shared.getProvider(provider)
    return { kind: 'open' as const, terms: full, signature: await client.signOrder(full, { signal: closed }) }
  }
  const amending = async (record: OrderRecord, common: Omit<AmendmentTerms, 'orderId' | 'seq'>) => {
    const full: AmendmentTerms = { orderId: record.orderId, seq: record.seq, ...common }
    const client = await shared.getProvider(provider)
    try {
      return { kind: 'amend' as const, terms: full, signature: await client.signAmendment(full, { signal: closed }) }
    } catch (thrown) {
      if (!isOrderRefused(thrown)) throw thrown
      await refresh(record.orderId)
      const { usedBytes } = thrown.details
      if (typeof usedBytes === 'number' && isMain(record.orderId)) await believe(usedBytes)
      throw thrown
    }
  }
  const goOn = async (record: ChangeRecord) => {
    await settle(record, async () => await takeUp(money, vacating, record, closed), undefined)
  }
  /** Where the chain rewound, a new order may get the number of one that it has forgotten. */
  const vacating: OrderStore = {
    ...store,
    async endChange(who, opened) {
      if (opened && !list().some(({ orderId }) => orderId === opened.orderId)) await shared.vacate(opened.orderId)
      await store.endChange(who, opened)
    },
  }
  /** Runs a change to what became of it, and remembers that. */
  const settle = async (
    record: ChangeRecord,
    run: () => Promise<{ readonly order: OrderRecord | undefined }>,
    plan: OrderPlan | undefined,
  ) => {
    try {
      const done = await run()
      pending = undefined
      plannedBytes = Number.POSITIVE_INFINITY
      if (!done.order) return
      const before = list().find(({ orderId }) => orderId === done.order?.orderId)
      adopt(done.order.orderId, done.order)
      tell(record, before, done.order, plan)
    } catch (thrown) {
      const reason = refusalReasonOf(thrown)
      if (reason !== undefined && !(await isStillStored(record))) pending = undefined
      if (!pending) plannedBytes = Number.POSITIVE_INFINITY
      if (reason === 'EscrowTooSmall') {
        const freeAtto = await money.getFreeEscrow()
        throw new EscrowTooSmallError(money.account, { neededAtto: plan?.costAtto ?? freeAtto, freeAtto }, thrown)
      }
      if (reason !== undefined && record.kind === 'amend') await refresh(record.terms.orderId)
      throw thrown
    }
  }
  const isStillStored = async (record: ChangeRecord) =>
    (await store.listChanges()).some((one) => one.provider === record.provider)
  const lookUp = async (orderId: bigint) => {
    const info = await money.findOrder(orderId)
    // Where the chain rewound, its number may be another one's now.
    if (info && (info.user !== money.account || info.provider !== provider)) return 'of another' as const
    const found = info ? recordOf(orderId, info) : undefined
    if (found) await store.putOrder(found)
    return found
  }
  const tell = (record: ChangeRecord, before: OrderRecord | undefined, after: OrderRecord, plan?: OrderPlan) => {
    const isGrown = after.sizeBytes > (before?.sizeBytes ?? 0)
    const type = record.kind === 'open' ? 'order-opened' : isGrown ? 'order-grown' : 'order-renewed'
    const { orderId, sizeBytes, end } = after
    const facts = { orderId: Number(orderId), provider, sizeBytes, endEpoch: Number(end) }
    shared.emit({ type, ...facts, ...(plan ? { costAtto: `${plan.costAtto}` } : {}) })
  }
  /** One change at a time; whoever needs one shares it. */
  const startChange = (wish: Wish, target = order): Promise<void> => {
    changing ??= change(wish, target).finally(() => {
      changing = undefined
    })
    return changing
  }
  const list = () => (order ? [order, ...others] : others)

  /** Room that is there, without asking anybody. */
  const findRoom = async (bytes: number): Promise<Room | undefined> => {
    const record = order
    if (!record) return undefined
    const epochs = await shared.getEpochs()
    if (secondsLeft(record.end, epochs) < policy.minLeftSeconds) return undefined
    const otherBytes = await otherBytesOf(record, epochs)
    const opened = await setOf(record)
    const sizeBytes = Math.min(record.sizeBytes, plannedBytes)
    const freeBytes = sizeBytes - opened.heldBytes() - reservedBytes - otherBytes
    if (freeBytes < bytes) return undefined
    reservedBytes += bytes
    if ((freeBytes - bytes) * policy.growAtFreePart < record.sizeBytes) growAhead()
    let isTaken = true
    const free = () => {
      if (isTaken && order?.orderId === record.orderId) reservedBytes -= bytes
      isTaken = false
    }
    return { order: record, set: opened, free }
  }
  /** Reads the order anew. */
  const refresh = async (orderId = order?.orderId) => {
    const record = list().find((one) => one.orderId === orderId)
    if (record) await look(record)
  }
  const look = async (record: OrderRecord): Promise<boolean> => {
    const { orderId } = record
    let found = await lookUp(orderId)
    if (!found) {
      await shared.timers.sleep(LOOK_AGAIN_MS, closed)
      found = await lookUp(orderId)
    }
    if (!found || found === 'of another') {
      await giveUp(record)
      return false
    }
    if (list().some((one) => one.orderId === orderId)) adopt(orderId, found)
    return true
  }
  const giveUp = async (record: OrderRecord) => {
    const { orderId, sizeBytes, end } = record
    if (!list().some((one) => one.orderId === orderId)) return // somebody else has seen it meanwhile
    adopt(orderId, undefined)
    if (pending?.kind === 'amend' && pending.terms.orderId === orderId) {
      pending = undefined
      plannedBytes = Number.POSITIVE_INFINITY
      await store.endChange(provider, undefined)
    }
    const heldBytes = await shared.uncover(record)
    const facts = { orderId: Number(orderId), provider, sizeBytes, endEpoch: Number(end), heldBytes }
    shared.emit({ type: 'order-forgotten', ...facts })
  }
  /** Once: whether the order that takes pieces is there still. */
  const check = async (signal: AbortSignal) => {
    checking ??= refresh().catch((thrown: unknown) => {
      checking = undefined
      // A silent chain is no reason to refuse room that is there.
      if (!(thrown instanceof MemoError) && !closed.aborted) throw thrown
    })
    await orAborted(
      checking.then(() => undefined),
      signal,
    )
  }
  /** The provider counts so many bytes: as long as we know of fewer, there is less room. */
  const believe = async (usedBytes: number) => {
    if (!order) return
    const knownBytes = (await setOf(order)).heldBytes() + reservedBytes
    // Nobody can check it: who is believed without bounds sells room for nothing.
    const most = Math.min(order.sizeBytes, knownBytes + policy.firstOrderBytes)
    unknownBytes = Math.max(0, Math.min(usedBytes, most) - knownBytes)
  }
  /** Nobody waits for it: what does not come about now is tried when it is needed. */
  const growAhead = () => {
    if (changing || closed.aborted) return
    const grown = startChange('room').catch((thrown: unknown) => {
      if (!(thrown instanceof MemoError)) throw thrown
      shared.emit({ type: 'order-waits', provider, error: thrown.name, message: thrown.message })
    })
    shared.follow(grown)
  }

  return {
    provider,
    list,
    async take(bytes, signal) {
      await check(signal)
      wantedBytes += bytes
      try {
        for (let turn = 0; turn < MAX_TURNS; turn++) {
          signal.throwIfAborted()
          const room = await findRoom(bytes)
          if (room) return room
          await orAborted(startChange('room'), signal)
        }
      } finally {
        wantedBytes -= bytes
      }
      throw new NoRoomError(provider, bytes)
    },
    reconsider(refusal) {
      terms = undefined
      const { usedBytes } = refusal.details
      if (typeof usedBytes === 'number') return shared.follow(believe(usedBytes))
      checking = undefined
      shared.follow(check(closed))
    },
    async renewIfDue(record) {
      if (!record && !pending) return
      const epochs = await shared.getEpochs()
      const isDue = pending || (record && isOpen(record, epochs) && isRenewalDue(record, epochs, policy))
      if (!isDue) return
      // Whoever needs room shares a change of the order that has it; an older order needs one of its own.
      while (changing && record && !isMain(record.orderId)) await changing.catch(() => undefined) // whose change it is has the error
      await startChange('renewal', record)
    },
    look,
    forget(orderId) {
      if (list().some((one) => one.orderId === orderId)) adopt(orderId, undefined)
    },
    resume(record) {
      pending = record
      if (record.kind === 'amend' && isMain(record.terms.orderId)) plannedBytes = Number(record.terms.sizeBytes)
    },
  }
}

/** A chain's time may run ahead of the clock, by which providers reckon; they sign for ten minutes at the most. */
function submitByOf(blockSeconds: number, nowSeconds: number, { submitWithinSeconds }: OrderPolicy): bigint {
  const wanted = Math.max(blockSeconds, nowSeconds) + submitWithinSeconds
  return BigInt(Math.min(wanted, nowSeconds + MAX_SUBMIT_SECONDS))
}

/** Whether it can still be amended: it is not over by the next epoch. */
function isOpen({ end }: OrderRecord, { current }: EpochInfo): boolean {
  return end > current + 1n
}

function uint64Of(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0)
}
