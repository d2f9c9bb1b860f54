import { type Clock, type EpochInfo, MemoError, type ProviderClient, type Signer, type Timers } from '@memo/core'
import { type NodeFault, nodeFault } from '../errors.ts'
import { type CommitWork, commitSet, reconcileSet } from './commit.ts'
import type { OrderEvent } from './events.ts'
import type { OrderMoney } from './money.ts'
import type { OrderPolicy } from './policy.ts'
import type { OrderSet } from './set.ts'
import type { OrderRecord, OrderStore } from './store.ts'

export type CommitterOptions = {
  readonly clock: Clock
  readonly timers: Timers
  readonly signer: Signer
  readonly money: OrderMoney
  readonly store: OrderStore
  readonly policy: OrderPolicy
  listRecords(): readonly OrderRecord[]
  openSet(orderId: bigint): Promise<OrderSet>
  /** A set that was never opened has not changed. */
  isOpenSet(orderId: bigint): boolean
  getProvider(address: OrderRecord['provider']): Promise<ProviderClient>
  getEpochs(): Promise<EpochInfo>
  emit(event: OrderEvent): void
  onFault(fault: NodeFault): void
  /** Keeps an eye on work that nobody waits for. */
  follow(work: Promise<unknown>): void
  readonly closed: AbortSignal
}

/** Brings changed sets to their providers, a while after the last change (`spec/sdk.md` 17). */
export type Committer = {
  /** A set has changed. */
  noteChange(set: OrderSet): void
  /** The provider may hold more than we know: its view is read before the next commitment, and soon. */
  markUnsure(orderIds: Iterable<bigint>): void
  isUnsure(orderId: bigint): boolean
  /** Reads the provider's view of an order that is unsure. */
  makeSure(record: OrderRecord): Promise<void>
  /** Commits all that has changed; false where something could not be. */
  commitAll(): Promise<boolean>
}

/** Orders whose sets are committed at once. */
const COMMITS_AT_ONCE = 4

export function createCommitter(options: CommitterOptions): Committer {
  const { timers, policy, store, closed, emit, onFault, follow } = options
  const committing = new Map<bigint, Promise<void>>()
  const unsure = new Set<bigint>()
  /** Names of the faults that were told. */
  const told = new Map<bigint, string>()
  let soon: Promise<void> | undefined

  const workOf = async (record: OrderRecord, set: OrderSet): Promise<CommitWork> => {
    const { current } = await options.getEpochs()
    const provider = await options.getProvider(record.provider)
    const { orderId } = record
    const { signer } = options
    const money = options.money.money
    const mostUnknownBytes = policy.firstOrderBytes
    return { orderId, set, provider, store, signer, money, fromEpoch: current + 1n, mostUnknownBytes, signal: closed }
  }
  const reconcile = async ({ orderId, sizeBytes }: OrderRecord, work: CommitWork) => {
    // Whatever fits may have been stored before the crash.
    await reconcileSet({ ...work, mostUnknownBytes: sizeBytes })
    unsure.delete(orderId)
  }
  const commitOne = async (record: OrderRecord) => {
    const { orderId, provider } = record
    const isUnsure = unsure.has(orderId)
    if (!isUnsure && !options.isOpenSet(orderId)) return
    const set = await options.openSet(orderId)
    if (!isUnsure && set.pending() === 0 && !set.offer) return
    if (record.end <= (await options.getEpochs()).current) return
    const work = await workOf(record, set)
    if (isUnsure) await reconcile(record, work)
    while (set.pending() > 0 || set.offer) {
      await commitSet(work)
      emit({ type: 'set-committed', orderId: Number(orderId), provider, usedBytes: set.tree.usedBytes })
    }
  }
  /** One commitment of an order at a time; whoever asks meanwhile waits for it. */
  const commitInTurn = async (record: OrderRecord): Promise<void> => {
    const before = committing.get(record.orderId)
    if (before !== undefined) return await before
    const work = commitOne(record).finally(() => committing.delete(record.orderId))
    committing.set(record.orderId, work)
    await work
  }
  /** Once for as long as it stays so: what fails is tried again and again. */
  const tell = ({ orderId }: OrderRecord, fault: NodeFault) => {
    if (told.get(orderId) === fault.name) return
    told.set(orderId, fault.name)
    onFault(fault)
  }
  const commitAll = async (): Promise<boolean> => {
    const waiting = [...options.listRecords()]
    let isWhole = true
    const run = async () => {
      for (let record = waiting.pop(); record; record = waiting.pop()) {
        try {
          await commitInTurn(record)
          told.delete(record.orderId)
        } catch (thrown) {
          if (!(thrown instanceof MemoError) && !closed.aborted) throw thrown
          isWhole = false
          if (!closed.aborted) tell(record, nodeFault('provider', record.provider, thrown))
        }
      }
    }
    await Promise.all(Array.from({ length: COMMITS_AT_ONCE }, run))
    return isWhole
  }
  const commitSoon = (delayMs: number) => {
    if (soon || closed.aborted) return
    const wait = async () => {
      await timers.sleep(delayMs, closed).catch(() => undefined) // only a close ends it early
      soon = undefined
      if (closed.aborted) return
      if (!(await commitAll())) commitSoon(policy.retryMs)
    }
    soon = wait()
    follow(soon)
  }
  return {
    noteChange(set) {
      if (set.pending() < policy.commitChanges) commitSoon(policy.commitDelayMs)
      else follow(commitAll())
    },
    markUnsure(orderIds) {
      for (const orderId of orderIds) unsure.add(orderId)
      if (unsure.size > 0) commitSoon(0)
    },
    isUnsure: (orderId) => unsure.has(orderId),
    async makeSure(record) {
      if (unsure.has(record.orderId))
        await reconcile(record, await workOf(record, await options.openSet(record.orderId)))
    },
    commitAll,
  }
}
