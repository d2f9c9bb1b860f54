import type { QuotaKind } from '@memo/chain'
import { type Address, createTurns, type IndexChange, type IndexStore, textFromUtf8, utf8 } from '@memo/core'
import { type Charge, withCharge, withoutCharge } from './account.ts'
import { type BuyerQuota, type Ledger, withQuotaCharge } from './ledger.ts'

/** What one object or one download took, and from where. */
export type Taken = Charge & { readonly buyer: Address; readonly trialKind: QuotaKind; readonly payKind: QuotaKind }

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
  const gone = (id: string): readonly IndexChange[] => [{ key: `${CHARGE}${id}` }, { key: `${MARK}${id}` }]
  const minus = (taken: Taken) => (quota: BuyerQuota) => withQuotaCharge(quota, taken, taken, withoutCharge)
  const plus = (taken: Taken) => (quota: BuyerQuota) => withQuotaCharge(quota, taken, taken, withCharge)

  // Two deletions of one object must not give its bytes back twice.
  const turn = createTurns()
  const works: Pick<Charges, 'mark' | 'keep' | 'giveBack' | 'doubt' | 'settle'> = {
    async mark(id) {
      if (await find(id)) await store.apply([{ key: `${MARK}${id}`, value: utf8(COUNTED) }])
    },
    async keep(id, from) {
      const taken = from === undefined || from === id ? undefined : await find(from)
      if (!taken || from === undefined) return await store.apply([{ key: `${MARK}${id}` }])
      await store.apply([{ key: `${CHARGE}${id}`, value: encodeTaken(taken) }, ...gone(from)])
    },
    async giveBack(id) {
      const taken = await find(id)
      if (taken) await change(taken, minus(taken), gone(id))
    },
    async doubt(id) {
      const taken = await find(id)
      if (taken) await change(taken, minus(taken), [{ key: `${MARK}${id}`, value: utf8(RETURNED) }])
    },
    async settle(id, exists) {
      const [taken, mark] = [await find(id), await store.get(`${MARK}${id}`)]
      if (!mark) return
      const isCounted = textFromUtf8(mark) === COUNTED
      if (!taken) return await store.apply([{ key: `${MARK}${id}` }])
      if (!exists) return isCounted ? await works.giveBack(id) : await store.apply(gone(id))
      if (isCounted) await works.keep(id)
      else await change(taken, plus(taken), [{ key: `${MARK}${id}` }])
    },
  }
  return {
    record: (id, taken) => [
      { key: `${CHARGE}${id}`, value: encodeTaken(taken) },
      { key: `${MARK}${id}`, value: utf8(COUNTED) },
    ],
    removal: gone,
    find,
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

function encodeTaken({ buyer, trialKind, payKind, trial, paid, nonce }: Taken): Uint8Array {
  return utf8(JSON.stringify([buyer, trialKind, payKind, `${trial}`, `${paid}`, `${nonce}`]))
}

/** The store holds what {@link encodeTaken} wrote, so its fields are trusted. */
function decodeTaken(record: Uint8Array): Taken {
  const [buyer, trialKind, payKind, trial, paid, nonce] = JSON.parse(textFromUtf8(record)) as [
    Address,
    QuotaKind,
    QuotaKind,
    string,
    string,
    string,
  ]
  return { buyer, trialKind, payKind, trial: BigInt(trial), paid: BigInt(paid), nonce: BigInt(nonce) }
}
