import type { QuotaKind } from '@memo/chain'
import { type Address, createTurns, type IndexChange, type IndexStore, textFromUtf8, utf8 } from '@memo/core'
import { type Charge, withCharge, withoutCharge } from './account.ts'
import { type BuyerQuota, type HoldTerms, type Ledger, withQuotaCharge } from './ledger.ts'
import { findTerm, type Term, termChange, termRemoval } from './terms.ts'

/** What one object or one download took, and from where. */
export type Taken = Charge & {
  readonly buyer: Address
  readonly trialKind: QuotaKind
  readonly payKind: QuotaKind
  /** When the quota ends that the paid bytes of an object were counted under; undefined for what has no such end. */
  readonly until?: bigint | undefined
}

/**
 * What objects took, so that deleting gives it back, durable together with the accounts. A charge whose object may or may
 * not come to be, or to be gone, is marked before that is known; a start settles what a crash left marked.
 */
export type Charges = {
  /** The changes that record a charge, marked. */
  record(id: string, taken: Taken): readonly IndexChange[]
  /** The changes that forget a charge and its mark. */
  removal(id: string): readonly IndexChange[]
  find(id: string): Promise<Taken | undefined>
  /** Marks a charge whose object is about to be deleted; without one there is nothing to mark. */
  mark(id: string): Promise<void>
  /** The object is there: its charge stands. `from` is the number that it was charged under, where that is another. */
  keep(id: string, from?: string): Promise<void>
  /** The object is not there, and never will be. */
  giveBack(id: string): Promise<void>
  /** The object is not there now and may turn up: its bytes are given back, and counted again when it does. */
  doubt(id: string): Promise<void>
  /** What was marked when this was called. */
  listMarked(): Promise<readonly string[]>
  /** Ends a mark by what is true. */
  settle(id: string, exists: boolean): Promise<void>
  /** Until when an object's paid bytes are paid for; undefined where none are, or nobody knows. */
  findTerm(id: string): Promise<Term | undefined>
  /** Forgets a charge whose object is gone, unless somebody is just settling that. */
  forgetLost(id: string): Promise<void>
  /** Marks the charge of a term that still is as it is given, since its object is about to be deleted. Says whether it is. */
  claim(term: Term): Promise<boolean>
  /** Notes what became of a term. Says whether it still stands. */
  note(term: Term): Promise<boolean>
  /**
   * Counts the paid bytes of a term that is over once more, trial first, until `until`: all or nothing. Says whether it did; what
   * is about to come or to go is left alone.
   */
  renew(term: Term, terms: HoldTerms, until: bigint): Promise<boolean>
}

const CHARGE = 'charge/'
const MARK = 'charged/'
const PAGE = 200
const COUNTED = 'counted'
const RETURNED = 'returned'

export function openCharges(store: IndexStore, ledger: Ledger): Charges {
  const change = async (
    taken: Taken,
    apply: (quota: BuyerQuota) => BuyerQuota,
    changes: readonly IndexChange[],
  ): Promise<void> => {
    await ledger.update(taken.buyer, apply, () => changes)
  }
  const find = async (id: string): Promise<Taken | undefined> => {
    const record = await store.get(`${CHARGE}${id}`)
    return record && decodeTaken(record)
  }
  const gone = (id: string, taken?: Taken): readonly IndexChange[] => [
    { key: `${CHARGE}${id}` },
    { key: `${MARK}${id}` },
    ...(taken?.until === undefined ? [] : [termRemoval({ buyer: taken.buyer, until: taken.until, id })]),
  ]
  const termOf = async (id: string, { buyer, until }: Taken) =>
    until === undefined ? undefined : await findTerm(store, { buyer, until, id })
  /** What a term that is over had paid is used up: none of it comes back. */
  const returned = async (id: string, taken: Taken): Promise<Charge> =>
    (await termOf(id, taken))?.goneAt === undefined ? taken : { ...taken, paid: 0n }
  const minus = (taken: Taken, charge: Charge) => (quota: BuyerQuota) =>
    withQuotaCharge(quota, taken, charge, withoutCharge)
  const plus = (taken: Taken) => (quota: BuyerQuota) => withQuotaCharge(quota, taken, taken, withCharge)

  // Two deletions of one object must not give its bytes back twice.
  const turn = createTurns()
  const works: Omit<Charges, 'record' | 'removal' | 'find' | 'findTerm' | 'listMarked'> = {
    async mark(id) {
      if (await find(id)) await store.apply([{ key: `${MARK}${id}`, value: utf8(COUNTED) }])
    },
    async keep(id, from) {
      const taken = from === undefined || from === id ? undefined : await find(from)
      if (!taken || from === undefined) return await store.apply([{ key: `${MARK}${id}` }])
      await store.apply([...chargeChanges(id, taken), ...gone(from, taken)])
    },
    async giveBack(id) {
      const taken = await find(id)
      if (taken) await change(taken, minus(taken, await returned(id, taken)), gone(id, taken))
    },
    async forgetLost(id) {
      if (!(await store.get(`${MARK}${id}`))) await works.giveBack(id)
    },
    async doubt(id) {
      const taken = await find(id)
      if (taken) await change(taken, minus(taken, taken), [{ key: `${MARK}${id}`, value: utf8(RETURNED) }])
    },
    async settle(id, exists) {
      const [taken, mark] = [await find(id), await store.get(`${MARK}${id}`)]
      if (!mark) return
      const isCounted = textFromUtf8(mark) === COUNTED
      if (!taken) return await store.apply([{ key: `${MARK}${id}` }])
      if (!exists) return isCounted ? await works.giveBack(id) : await store.apply(gone(id, taken))
      if (isCounted) await works.keep(id)
      else await change(taken, plus(taken), [{ key: `${MARK}${id}` }])
    },
    async claim({ id, until, goneAt }) {
      const taken = await find(id)
      const term = taken && (await termOf(id, taken))
      const stands = term !== undefined && term.until === until && term.goneAt === goneAt
      if (stands) await works.mark(id)
      return stands
    },
    async note(term) {
      const taken = await find(term.id)
      const stands = taken !== undefined && taken.until === term.until
      if (stands) await store.apply([termChange(term)])
      return stands
    },
    async renew(term, terms, until) {
      const { id } = term
      const [taken, mark] = [await find(id), await store.get(`${MARK}${id}`)]
      if (!taken || mark || taken.until !== term.until) return false
      const hold = await ledger.hold(terms)
      try {
        if (hold.take(taken.paid) > 0n) return false
        await hold.count(({ trial, paid, nonce }) => {
          const next = { ...taken, trial: taken.trial + trial, paid, nonce, until: paid > 0n ? until : undefined }
          return [termRemoval(term), ...chargeChanges(id, next)]
        })
        return true
      } finally {
        hold.release()
      }
    },
  }
  return {
    record: (id, taken) => [...chargeChanges(id, taken), { key: `${MARK}${id}`, value: utf8(COUNTED) }],
    removal: (id) => gone(id),
    find,
    async findTerm(id) {
      const taken = await find(id)
      return taken && (await termOf(id, taken))
    },
    forgetLost: async (id) => await turn(id, async () => await works.forgetLost(id)),
    claim: async (term) => await turn(term.id, async () => await works.claim(term)),
    note: async (term) => await turn(term.id, async () => await works.note(term)),
    renew: async (term, ...rest) => await turn(term.id, async () => await works.renew(term, ...rest)),
    mark: async (id) => await turn(id, async () => await works.mark(id)),
    keep: async (id, from) => await turn(id, async () => await works.keep(id, from)),
    giveBack: async (id) => await turn(id, async () => await works.giveBack(id)),
    doubt: async (id) => await turn(id, async () => await works.doubt(id)),
    settle: async (id, exists) => await turn(id, async () => await works.settle(id, exists)),
    async listMarked() {
      const ids: string[] = []
      for (;;) {
        const after = ids.length === 0 ? {} : { after: `${MARK}${ids.at(-1)}` }
        const page = await store.list({ prefix: MARK, limit: PAGE, ...after })
        ids.push(...page.map(({ key }) => key.slice(MARK.length)))
        if (page.length < PAGE) return ids
      }
    },
  }
}

/** A charge, and the term of what it paid. */
function chargeChanges(id: string, taken: Taken): readonly IndexChange[] {
  const { buyer, payKind: kind, paid, until } = taken
  const charge = { key: `${CHARGE}${id}`, value: encodeTaken(taken) }
  return until === undefined ? [charge] : [charge, termChange({ id, buyer, kind, paid, until })]
}

function encodeTaken({ buyer, trialKind, payKind, trial, paid, nonce, until }: Taken): Uint8Array {
  const end = until === undefined ? [] : [`${until}`]
  return utf8(JSON.stringify([buyer, trialKind, payKind, `${trial}`, `${paid}`, `${nonce}`, ...end]))
}

/** The store holds what {@link encodeTaken} wrote, so its fields are trusted. */
function decodeTaken(record: Uint8Array): Taken {
  const [buyer, trialKind, payKind, trial, paid, nonce, until] = JSON.parse(textFromUtf8(record)) as [
    Address,
    QuotaKind,
    QuotaKind,
    string,
    string,
    string,
    string?,
  ]
  const charge = { trial: BigInt(trial), paid: BigInt(paid), nonce: BigInt(nonce) }
  return { buyer, trialKind, payKind, ...charge, ...(until === undefined ? {} : { until: BigInt(until) }) }
}
