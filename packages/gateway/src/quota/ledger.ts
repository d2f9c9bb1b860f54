import type { QuotaKind } from '@memo/chain'
import { type Address, type IndexChange, type IndexStore, maxOf, minOf, textFromUtf8, utf8 } from '@memo/core'
import {
  type Charge,
  decodeAccount,
  EMPTY_ACCOUNT,
  encodeAccount,
  paidRoom,
  type QuotaAccount,
  withCharge,
} from './account.ts'

/** Both accounts of a buyer. */
export type BuyerQuota = Readonly<Record<QuotaKind, QuotaAccount>>

/** From which accounts bytes are taken: trial first, then what is paid. */
export type HoldTerms = {
  readonly buyer: Address
  readonly trialKind: QuotaKind
  /** Trial bytes that every buyer has of this kind. */
  readonly trialLimit: bigint
  /** Undefined where nothing paid may be used now. */
  readonly payKind: QuotaKind | undefined
}

/** Bytes that are set aside for one transfer, in memory until they are counted. */
export type Hold = {
  readonly bytes: bigint
  /** Sets more bytes aside; returns how many are missing, and sets none aside where that is not 0. */
  take(bytes: bigint): bigint
  /** Lets go all but `bytes`. */
  shrink(bytes: bigint): void
  /** Counts what was set aside, durably, together with the changes that `record` makes of it. */
  count(record: (charge: Charge) => readonly IndexChange[]): Promise<Charge>
  /** Lets go what was not counted. Must be called at the end of every hold. */
  release(): void
}

/** What transfers under way have set aside. */
export type Held = { readonly trial: bigint; readonly paid: bigint }

/** What buyers have used, durable (`spec/gateway.md` 13). */
export type Ledger = {
  read(buyer: Address): Promise<{ readonly quota: BuyerQuota; readonly held: Readonly<Record<QuotaKind, Held>> }>
  /** Changes a buyer's accounts and, all or nothing, what else is told; durable when it resolves. Changes take turns. */
  update(
    buyer: Address,
    change: (quota: BuyerQuota) => BuyerQuota,
    more?: (next: BuyerQuota) => readonly IndexChange[],
  ): Promise<BuyerQuota>
  hold(terms: HoldTerms): Promise<Hold>
  /** All who have ever used something. */
  list(): AsyncIterable<{ readonly buyer: Address; readonly quota: BuyerQuota }>
}

/** A buyer in memory. */
type Entry = {
  quota: BuyerQuota
  readonly held: Record<QuotaKind, Held>
  /** A write failed: nobody knows what stands on the disk. */
  isDoubtful: boolean
  tail: Promise<unknown>
}
/** `users` counts from before the entry is there, so that no two of one buyer ever are. */
type Slot = { readonly entry: Promise<Entry>; users: number }

const PREFIX = 'quota/'
const PAGE = 200
/** Buyers kept in memory beside those whose transfers are under way. */
const MAX_SLOTS = 10_000

export function openLedger(store: IndexStore): Ledger {
  const slots = new Map<Address, Slot>()

  const load = async (buyer: Address): Promise<BuyerQuota> => {
    const record = await store.get(`${PREFIX}${buyer}`)
    return record ? decodeQuota(record) : { space: EMPTY_ACCOUNT, traffic: EMPTY_ACCOUNT }
  }
  const create = async (buyer: Address): Promise<Entry> => {
    const none = { trial: 0n, paid: 0n }
    const quota = await load(buyer)
    return { quota, isDoubtful: false, held: { space: none, traffic: none }, tail: Promise.resolve() }
  }
  const enter = (buyer: Address): Slot => {
    const slot = slots.get(buyer) ?? { entry: create(buyer), users: 0 }
    slots.delete(buyer) // and added again: the one longest unused comes first
    slots.set(buyer, slot)
    slot.users += 1
    slot.entry.catch(() => slots.get(buyer) === slot && slots.delete(buyer)) // the next one reads it anew
    if (slots.size > MAX_SLOTS) forgetUnused(slots)
    return slot
  }
  const using = async <T>(buyer: Address, work: (entry: Entry) => Promise<T>): Promise<T> => {
    const slot = enter(buyer)
    try {
      const entry = await slot.entry
      const turn = entry.tail.then(async () => await work(entry))
      entry.tail = turn.catch(() => undefined) // whoever asked for it has the error
      return await turn
    } finally {
      slot.users -= 1
    }
  }
  /** `applied` runs in the same moment in which the new accounts count. */
  const write = async (
    buyer: Address,
    change: (quota: BuyerQuota) => BuyerQuota,
    more: (next: BuyerQuota) => readonly IndexChange[],
    applied: () => void,
  ): Promise<BuyerQuota> =>
    await using(buyer, async (entry) => {
      if (entry.isDoubtful) entry.quota = await load(buyer)
      entry.isDoubtful = false
      const next = change(entry.quota)
      const others = more(next)
      if (next !== entry.quota || others.length > 0) {
        entry.isDoubtful = true
        await store.apply([{ key: `${PREFIX}${buyer}`, value: encodeQuota(next) }, ...others])
        entry.isDoubtful = false
        entry.quota = next
      }
      applied()
      return next
    })

  return {
    read: async (buyer) => await using(buyer, async ({ quota, held }) => ({ quota, held: { ...held } })),
    update: async (buyer, change, more = () => []) => await write(buyer, change, more, () => undefined),
    async hold(terms) {
      const slot = enter(terms.buyer)
      try {
        const entry = await slot.entry
        const leave = () => {
          slot.users -= 1
        }
        return createHold(entry, terms, leave, async (...step) => void (await write(terms.buyer, ...step)))
      } catch (thrown) {
        slot.users -= 1
        throw thrown
      }
    },
    async *list() {
      let after: string | undefined
      for (;;) {
        const page = await store.list({ prefix: PREFIX, limit: PAGE, ...(after === undefined ? {} : { after }) })
        for (const { key, value } of page) {
          yield { buyer: key.slice(PREFIX.length) as Address, quota: decodeQuota(value) }
        }
        if (page.length < PAGE) return
        after = page.at(-1)?.key
      }
    },
  }
}

/** Bytes that could be set aside now. */
export function roomOf(
  { quota, held }: { readonly quota: BuyerQuota; readonly held: Readonly<Record<QuotaKind, Held>> },
  { trialKind, trialLimit, payKind }: Omit<HoldTerms, 'buyer'>,
): Held {
  return {
    trial: maxOf(0n, trialLimit - quota[trialKind].trialUsed - held[trialKind].trial),
    paid: payKind === undefined ? 0n : maxOf(0n, paidRoom(quota[payKind]) - held[payKind].paid),
  }
}

function createHold(
  entry: Entry,
  terms: HoldTerms,
  leave: () => void,
  write: (
    change: (quota: BuyerQuota) => BuyerQuota,
    more: (next: BuyerQuota) => readonly IndexChange[],
    applied: () => void,
  ) => Promise<void>,
): Hold {
  const { trialKind, payKind = trialKind } = terms
  let own: Held = { trial: 0n, paid: 0n }
  let isReleased = false
  const add = (kind: QuotaKind, { trial, paid }: Held) => {
    const held = entry.held[kind]
    entry.held[kind] = { trial: held.trial + trial, paid: held.paid + paid }
  }
  const change = ({ trial, paid }: Held) => {
    add(trialKind, { trial, paid: 0n })
    add(payKind, { trial: 0n, paid })
    own = { trial: own.trial + trial, paid: own.paid + paid }
  }
  const drop = () => change({ trial: -own.trial, paid: -own.paid })
  return {
    get bytes() {
      return own.trial + own.paid
    },
    take(bytes) {
      const room = roomOf(entry, terms)
      const trial = minOf(bytes, room.trial)
      const paid = bytes - trial
      if (paid > room.paid) return paid - room.paid
      change({ trial, paid })
      return 0n
    },
    shrink(bytes) {
      const excess = maxOf(0n, own.trial + own.paid - bytes)
      const paid = minOf(excess, own.paid)
      change({ trial: paid - excess, paid: -paid })
    },
    async count(record) {
      let charge: Charge = { ...own, nonce: 0n }
      await write(
        (quota) => {
          charge = { ...own, nonce: quota[payKind].nonce }
          return withQuotaCharge(quota, { trialKind, payKind }, charge, withCharge)
        },
        () => record(charge),
        drop,
      )
      return charge
    },
    release() {
      if (isReleased) return
      isReleased = true
      drop()
      leave()
    },
  }
}

/** Applies a charge, or takes it back, where its trial and its paid bytes belong. */
export function withQuotaCharge(
  quota: BuyerQuota,
  { trialKind, payKind }: { readonly trialKind: QuotaKind; readonly payKind: QuotaKind },
  { trial, paid, nonce }: Charge,
  apply: (account: QuotaAccount, charge: Charge) => QuotaAccount,
): BuyerQuota {
  const first = { ...quota, [trialKind]: apply(quota[trialKind], { trial, paid: 0n, nonce }) }
  return { ...first, [payKind]: apply(first[payKind], { trial: 0n, paid, nonce }) }
}

/** Forgets the buyers longest unused whom nobody works with. */
function forgetUnused(slots: Map<Address, Slot>): void {
  for (const [buyer, { users }] of slots) {
    if (slots.size <= MAX_SLOTS) return
    if (users === 0) slots.delete(buyer)
  }
}

function encodeQuota({ space, traffic }: BuyerQuota): Uint8Array {
  return utf8(JSON.stringify([encodeAccount(space), encodeAccount(traffic)]))
}

function decodeQuota(record: Uint8Array): BuyerQuota {
  const [space, traffic] = JSON.parse(textFromUtf8(record)) as [string, string]
  return { space: decodeAccount(space), traffic: decodeAccount(traffic) }
}
