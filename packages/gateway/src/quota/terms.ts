import type { QuotaKind } from '@memo/chain'
import { type Address, type IndexChange, type IndexStore, textFromUtf8, utf8 } from '@memo/core'

/** Until when what one object takes is paid for (`spec/gateway.md` 21). */
export type Term = {
  /** Of the object’s charge. */
  readonly id: string
  readonly buyer: Address
  /** Whose quota pays. */
  readonly kind: QuotaKind
  /** Bytes that are paid for; what the trial holds lasts. */
  readonly paid: bigint
  /** The end of the quota that they were counted under, in seconds of the chain since 1970. */
  readonly until: bigint
  /** The end of its grace; undefined while nobody has seen that the term is over. */
  readonly goneAt?: bigint | undefined
  /** Its grace was begun anew for a purchase that no voucher followed yet. */
  readonly isProlonged?: boolean | undefined
}

const TERM = 'term/'
/** Seconds in 64 bits: so that the first to end stands first. */
const UNTIL_DIGITS = 20
const PAGE = 100

export function termChange(term: Term): IndexChange {
  const { kind, paid, goneAt, isProlonged = false } = term
  const end = goneAt === undefined ? null : `${goneAt}`
  return { key: termKey(term), value: utf8(JSON.stringify([kind, `${paid}`, end, isProlonged])) }
}

export function termRemoval(term: Pick<Term, 'buyer' | 'until' | 'id'>): IndexChange {
  return { key: termKey(term) }
}

export async function findTerm(
  store: IndexStore,
  term: Pick<Term, 'buyer' | 'until' | 'id'>,
): Promise<Term | undefined> {
  const key = termKey(term)
  const value = await store.get(key)
  return value && decode(term.buyer, key, value)
}

/** A buyer's terms that end at `last` or before, the first to end first, and of those that end together the older object. */
export async function* listTerms(store: IndexStore, buyer: Address, last: bigint): AsyncGenerator<Term> {
  const prefix = `${TERM}${buyer}/`
  let after: string | undefined
  for (;;) {
    const page = await store.list({ prefix, limit: PAGE, ...(after === undefined ? {} : { after }) })
    for (const { key, value } of page) {
      const term = decode(buyer, key, value)
      if (term.until > last) return
      yield term
    }
    if (page.length < PAGE) return
    after = page.at(-1)?.key
  }
}

function termKey({ buyer, until, id }: Pick<Term, 'buyer' | 'until' | 'id'>): string {
  return `${TERM}${buyer}/${String(until).padStart(UNTIL_DIGITS, '0')}/${id}`
}

/** The store holds what {@link termChange} wrote, so its fields are trusted. */
function decode(buyer: Address, key: string, value: Uint8Array): Term {
  const [until = '0', id = ''] = key.slice(TERM.length + buyer.length + 1).split('/')
  const [kind, paid, goneAt, isProlonged] = JSON.parse(textFromUtf8(value)) as [
    QuotaKind,
    string,
    string | null,
    boolean,
  ]
  const end = goneAt === null ? undefined : BigInt(goneAt)
  return { id, buyer, kind, paid: BigInt(paid), until: BigInt(until), goneAt: end, isProlonged }
}
