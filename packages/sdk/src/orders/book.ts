import {
  type Address,
  type Chain,
  type ClientPorts,
  type EpochInfo,
  groupBy,
  type IndexStore,
  MemoError,
  type Receipt,
  type Signer,
} from '@memo/core'
import { type NodeFault, nodeFault, StorageClosedError } from '../errors.ts'
import { createDirectory } from '../nodes/directory.ts'
import { createBarePieces } from './bare.ts'
import { recordOf } from './change.ts'
import { createCommitter } from './committer.ts'
import { EscrowTooSmallError, isOrderRefused } from './errors.ts'
import type { OrderEvent } from './events.ts'
import { createKeptBytes, type KeptBytes } from './kept.ts'
import type { OrderMoney } from './money.ts'
import type { OrderBook, OrderLease } from './order-book.ts'
import { epochCostAtto, secondsLeft } from './plan.ts'
import { DEFAULT_ORDER_POLICY, type OrderPolicy } from './policy.ts'
import { createPriceLimits } from './price-limit.ts'
import { createProviderOrders, type OrderShared, type ProviderOrders } from './provider-orders.ts'
import { createPurse } from './purse.ts'
import { createOrderReads, type OrderReads, type ReadsStatus } from './reads.ts'
import { createRenewals } from './renewals.ts'
import { coverPieces, reviveOrder } from './revive.ts'
import { createOrderSet, type OrderSet } from './set.ts'
import { createOrderStore, type OrderRecord, type ReadsRecord } from './store.ts'

export type OrdersOptions = {
  readonly ports: ClientPorts & { readonly signer: Signer }
  /** Finds providers; may be cached. */
  readonly chain: Chain
  readonly money: OrderMoney
  /** Used by one book at a time; opened and closed by the caller. Others may keep records in it as well. */
  readonly store: IndexStore
  readonly policy?: Partial<OrderPolicy> | undefined
  readonly onEvent?: ((event: OrderEvent) => void) | undefined
  /** Told of providers that sign what is not so. */
  readonly onFault?: ((fault: NodeFault) => void) | undefined
}

/** What the book knows of one order. */
export type OrderStatus = {
  readonly orderId: number
  readonly provider: Address
  readonly sizeBytes: number
  readonly heldBytes: number
  readonly committedBytes: number
  /** Changes that no commitment has yet. */
  readonly uncommitted: number
  readonly commitmentSeq: number
  readonly endEpoch: number
  /** Unix seconds, as far as epochs last what they count. */
  readonly endsAt: number
  readonly costPerEpochAtto: bigint
}

export type OrdersStatus = {
  readonly account: Address
  readonly freeEscrowAtto: bigint
  readonly orders: readonly OrderStatus[]
  readonly reads: readonly ReadsStatus[]
}

/** The orders of one account: it opens, grows and renews them, commits sets and pays for reads. */
export type Orders = OrderBook & {
  /** Takes up what was under way, and looks after the orders from now on. */
  start(): void
  /** Commits all sets that have changed; false where some could not be. */
  commitSets(): Promise<boolean>
  /** Renews what is due, and warns of what cannot be. */
  renewDue(): Promise<void>
  status(): Promise<OrdersStatus>
  /**
   * When the first of these orders ends, in unix seconds. Where one of them is not in the book, or nothing is said, that of all
   * orders that hold something; undefined where there is none.
   */
  findExpiry(orderIds?: readonly number[]): Promise<number | undefined>
  /** Commits what has changed, as far as providers answer, and stops. */
  close(): Promise<void>
}

/** How long what the chain said of epochs is believed; they last much longer. */
const EPOCHS_MS = 5_000
/** An order is forgotten so long after its end: providers keep what was under it for a while. */
const FORGET_SECONDS = 30 * 86_400

export function createOrders(options: OrdersOptions): Orders {
  const { ports, money, chain, onEvent = () => undefined, onFault = () => undefined } = options
  const { clock, timers, signer, random } = ports
  const policy = { ...DEFAULT_ORDER_POLICY, ...options.policy }
  const store = createOrderStore(options.store)
  const closing = new AbortController()
  const closed = closing.signal
  const background = new Set<Promise<unknown>>()
  const directory = createDirectory({ ...ports, money: money.money }, chain)
  const purse = createPurse(money)
  const records = new Map<bigint, OrderRecord>()
  const byProvider = new Map<Address, ProviderOrders>()
  const sets = new Map<bigint, Promise<OrderSet>>()
  const kept = new Map<bigint, KeptBytes>()
  const reads = new Map<bigint, OrderReads>()
  const savedReads = new Map<bigint, ReadsRecord>()
  const bare = createBarePieces(store)
  /** Orders that went on for others that were over. */
  const followers = new Map<bigint, bigint>()
  let epochs: { readonly info: EpochInfo; readonly atMs: number } | undefined
  let started: Promise<void> | undefined

  const follow = (work: Promise<unknown>) => {
    const forget = () => void background.delete(ended)
    const ended: Promise<void> = work.then(forget, forget) // whoever began the work has its error
    background.add(ended)
  }
  const readEpochs = async () => {
    const info = await money.getEpochs()
    epochs = { info, atMs: clock.nowMs() }
    return info
  }
  const getEpochs = async () => (epochs && clock.nowMs() - epochs.atMs < EPOCHS_MS ? epochs.info : await readEpochs())
  /** While the chain is silent, what it said last does. */
  const findEpochs = async () => {
    try {
      return await getEpochs()
    } catch (thrown) {
      if (!(thrown instanceof MemoError)) throw thrown
      return epochs?.info
    }
  }
  const openSet = async (orderId: bigint) => {
    const known = sets.get(orderId)
    if (known) return await known
    const opening = loadSet(orderId)
    sets.set(orderId, opening)
    opening.catch(() => sets.delete(orderId)) // whoever asked has the error; the next one asks again
    return await opening
  }
  const loadSet = async (orderId: bigint) => {
    const pieces = []
    for await (const piece of store.listPieces(orderId)) pieces.push(piece)
    const [commit, offer] = [await store.findCommit(orderId), await store.findOffer(orderId)]
    const set = createOrderSet({ pieces, commit, offer })
    for await (const root of store.listGone(orderId)) set.remove(root)
    return set
  }
  const keptOf = async (orderId: bigint) => {
    const known = kept.get(orderId)
    if (known) return known
    const saved = createKeptBytes(await store.findKept(orderId))
    const made = kept.get(orderId) ?? saved // somebody else may have read it meanwhile
    kept.set(orderId, made)
    return made
  }
  const prices = createPriceLimits({ chain, clock, policy })
  const shared: OrderShared = {
    money,
    store,
    purse,
    policy,
    clock,
    random,
    timers,
    getEpochs,
    getProvider: async (address) => await directory.getProvider(address),
    getPriceLimit: prices.storing,
    openSet,
    keptOf,
    uncover: async (record) => await uncover(record),
    vacate: async (orderId) => await vacate(orderId),
    emit: onEvent,
    follow,
    closed,
  }
  const ordersOf = (provider: Address) => {
    const known = byProvider.get(provider)
    if (known) return known
    const made = createProviderOrders(shared, provider)
    byProvider.set(provider, made)
    return made
  }

  /** Its number may soon be that of another order: nothing stays under it. */
  const uncover = async (record: OrderRecord) => {
    const set = await openSet(record.orderId)
    const pieces = set.pieces()
    await bare.add(record, pieces)
    for (const known of [records, sets, kept, reads, savedReads, followers]) known.delete(record.orderId)
    return pieces.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  }
  const vacate = async (orderId: bigint) => {
    const stale = listRecords().find((record) => record.orderId === orderId)
    if (stale) await ordersOf(stale.provider).look(stale)
    records.delete(orderId)
  }
  const load = async () => {
    const state = await store.getState()
    for (const record of await store.listOrders()) {
      records.set(record.orderId, record)
      if (record.followedBy !== undefined) followers.set(record.orderId, record.followedBy)
    }
    for (const { orderId, ...saved } of await store.listReads()) {
      savedReads.set(orderId, saved)
      readsOf(orderId, saved.provider)
    }
    if (state === 'new') await adoptOwn()
    await store.open()
    for (const [provider, own] of groupBy(records.values(), (record) => record.provider)) {
      byProvider.set(provider, createProviderOrders(shared, provider, own))
    }
    for (const provider of await bare.load()) ordersOf(provider)
    for (const change of await store.listChanges()) ordersOf(change.provider).resume(change)
    if (state !== 'closed') committer.markUnsure(records.keys())
  }
  /** A book that was lost is made again from the chain and the providers. */
  const adoptOwn = async () => {
    for (const orderId of await money.listOwnOrders()) {
      const info = await money.findOrder(orderId)
      if (!info) continue
      const record = recordOf(orderId, info)
      await store.putOrder(record)
      records.set(orderId, record)
    }
  }
  const ready = async (signal?: AbortSignal) => {
    signal?.throwIfAborted()
    closed.throwIfAborted()
    started ??= load()
    started.catch(() => {
      started = undefined
    })
    await started
  }
  /** The order that goes on for one that was over, or the order itself. */
  const latestOf = (orderId: bigint): bigint => {
    const next = followers.get(orderId)
    return next === undefined ? orderId : latestOf(next)
  }
  const findRecord = (orderId: bigint) => {
    const latest = latestOf(orderId)
    return listRecords().find((record) => record.orderId === latest)
  }
  const listHolding = async () => {
    const all = listRecords()
    const held = await Promise.all(all.map(async ({ orderId }) => (await openSet(orderId)).heldBytes()))
    return all.filter((_, i) => (held[i] ?? 0) > 0)
  }
  /** All orders that are known, the newest state of each. */
  const listRecords = () => {
    for (const orders of byProvider.values()) for (const order of orders.list()) records.set(order.orderId, order)
    return [...records.values()]
  }

  const committer = createCommitter({
    ...shared,
    timers,
    signer,
    listRecords,
    isOpenSet: (orderId) => sets.has(orderId),
    onFault,
  })
  /** Orders that ended long ago: what was held under them is gone. */
  const forgetOver = async ({ current, epochSeconds }: EpochInfo) => {
    for (const { orderId, end, provider } of listRecords()) {
      if ((current - end) * epochSeconds < BigInt(FORGET_SECONDS)) continue
      // Placements name it still: it leads to the order that went on.
      if (followers.has(orderId) && records.has(latestOf(orderId))) continue
      await store.dropOrder(orderId)
      byProvider.get(provider)?.forget(orderId)
      for (const known of [records, sets, kept, reads, savedReads]) known.delete(orderId)
    }
  }
  const listProviders = () => [...byProvider.values()]
  const revive = async (lapsed: OrderRecord) => {
    const takeRoom = async (provider: Address, bytes: number) => await leaseOf(provider, bytes, closed)
    const next = await reviveOrder({ ...shared, makeSure: committer.makeSure, takeRoom }, lapsed)
    if (next !== undefined) followers.set(lapsed.orderId, next)
  }
  const cover = async (provider: Address) => {
    const pieces = bare.list(provider)
    if (pieces.length === 0) return
    const takeRoom = async (address: Address, bytes: number) => await leaseOf(address, bytes, closed)
    await coverPieces({ ...shared, makeSure: committer.makeSure, takeRoom, bare }, provider, pieces)
  }
  const renewals = createRenewals({ ...shared, timers, ready, listProviders, readEpochs, forgetOver, revive, cover })

  const noteRemoved = async (provider: Address, root: Uint8Array) => {
    await ready()
    await bare.drop(provider, root)
    for (const record of listRecords()) {
      if (record.provider !== provider) continue
      const set = await openSet(record.orderId)
      const heldBytes = set.heldBytes()
      if (!set.remove(root)) continue
      committer.noteChange(set)
      const lying = await keptOf(record.orderId)
      const info = await findEpochs()
      if (info) lying.add(heldBytes - set.heldBytes(), info)
      await store.putGone(record.orderId, root, lying.list())
    }
  }
  /** Pays for what was read since the last vouchers; what fails is paid with the next read. */
  const payUp = async (): Promise<void> => {
    const paying = [...reads.values()].map(async (one) => {
      try {
        await one.payUp()
      } catch (thrown) {
        if (!(thrown instanceof MemoError) && !closed.aborted) throw thrown
        if (!closed.aborted) onFault(nodeFault('provider', one.status().provider, thrown))
      }
    })
    await Promise.all(paying)
  }
  /** Commits what can be committed within a few seconds; whether nothing is left. */
  const finish = async (): Promise<boolean> => {
    const late = new AbortController()
    const committed = Promise.all([committer.commitAll(), payUp()]).then(([isCommitted]) => isCommitted)
    const timeout = timers.sleep(policy.closeMs, late.signal).then(
      () => false,
      () => false, // not needed any more
    )
    const isWhole = await Promise.race([committed, timeout])
    late.abort()
    follow(committed)
    return isWhole
  }

  const readsOf = (orderId: bigint, provider: Address) => {
    const known = reads.get(orderId)
    if (known) return known
    const common = { ...shared, contracts: money.money, signer, getPriceLimit: prices.reading }
    const made = createOrderReads(common, { orderId, provider, saved: savedReads.get(orderId) })
    reads.set(orderId, made)
    return made
  }
  const leaseOf = async (provider: Address, bytes: number, signal: AbortSignal): Promise<OrderLease> => {
    await ready(signal)
    const orders = ordersOf(provider)
    const { order, set, free } = await orders.take(bytes, signal)
    return {
      orderId: Number(order.orderId),
      stored({ root, sizeBytes }: Receipt) {
        free()
        if (set.add({ root, sizeBytes })) follow(store.dropGone(order.orderId, root))
        committer.noteChange(set)
      },
      release(refusal) {
        free()
        if (isOrderRefused(refusal)) orders.reconsider(refusal)
      },
    }
  }

  return {
    start: () => follow(renewals.run()),
    ensure: leaseOf,
    async assertSolvent(signal) {
      await ready(signal)
      const info = await getEpochs()
      const canTake = listRecords().some((record) => secondsLeft(record.end, info) >= policy.minLeftSeconds)
      if (canTake || (await money.getFreeEscrow()) > 0n) return
      throw new EscrowTooSmallError(money.account, { neededAtto: 1n, freeAtto: 0n })
    },
    async noteRemoved(provider, root) {
      const noting = noteRemoved(provider, root)
      follow(noting)
      await noting
    },
    async latestOf(orderId) {
      await ready()
      return Number(latestOf(BigInt(orderId)))
    },
    async holds(provider, root) {
      await ready()
      if (bare.has(provider, root)) return true
      let isSure = true
      for (const { orderId } of listRecords().filter((record) => record.provider === provider)) {
        if ((await openSet(orderId)).has(root)) return true
        isSure &&= !committer.isUnsure(orderId)
      }
      return isSure ? false : undefined
    },
    reads(budgetBytes) {
      const budget = { bytes: budgetBytes }
      return {
        find(provider, orderId) {
          if (orderId === 0) return undefined
          const named = findRecord(BigInt(orderId))
          // The order that a placement names may be one that the chain forgot, and its number another one's.
          const isForgotten = named?.provider !== provider && bare.knows(provider)
          const own = isForgotten ? ordersOf(provider).list()[0] : named
          // Whoever made a placement may have named any order: nobody is paid for what another provider serves.
          if (own ? own.provider !== provider : !policy.paysForOthers) return undefined
          const known = readsOf(own?.orderId ?? BigInt(orderId), provider)
          return known.status().provider === provider ? known.payment(budget) : undefined
        },
      }
    },
    async commitSets() {
      await ready()
      return await committer.commitAll()
    },
    renewDue: renewals.renewDue,
    async status() {
      await ready()
      const info = await readEpochs()
      const nowSeconds = Math.floor(clock.nowMs() / 1_000)
      const statusOf = async (record: OrderRecord): Promise<OrderStatus> => {
        const set = await openSet(record.orderId)
        return {
          orderId: Number(record.orderId),
          provider: record.provider,
          sizeBytes: record.sizeBytes,
          heldBytes: set.heldBytes(),
          committedBytes: set.tree.usedBytes,
          uncommitted: set.pending(),
          commitmentSeq: Number(set.commit?.commitment.seq ?? 0n),
          endEpoch: Number(record.end),
          endsAt: nowSeconds + secondsLeft(record.end, info),
          costPerEpochAtto: epochCostAtto(record.sizeBytes, record.priceAttoPerGiBSecond, info.epochSeconds),
        }
      }
      // Before the sets are opened: where it fails, nothing goes on that nobody awaits.
      const freeEscrowAtto = await money.getFreeEscrow()
      const orders = await Promise.all(listRecords().map(statusOf))
      const readsNow = [...reads.values()].map((one) => one.status())
      return { account: money.account, freeEscrowAtto, orders, reads: readsNow }
    },
    async findExpiry(orderIds) {
      await ready()
      const named = orderIds?.map((id) => findRecord(BigInt(id)))
      const isKnown = named !== undefined && named.length > 0 && !named.includes(undefined)
      const paying = isKnown ? named.filter((record) => record !== undefined) : await listHolding()
      if (paying.length === 0) return undefined
      const info = await getEpochs()
      const left = Math.min(...paying.map(({ end }) => secondsLeft(end, info)))
      return Math.floor(clock.nowMs() / 1_000) + left
    },
    async close() {
      const isWhole = started !== undefined && !closed.aborted && (await finish())
      closing.abort(new StorageClosedError())
      await Promise.allSettled(background)
      if (isWhole) await store.close()
    },
  }
}
