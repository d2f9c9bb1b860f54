import type { QuotaInfo, QuotaKind } from '@memo/chain'
import { type Address, createTurns, type IndexStore, MemoError, maxOf, minOf, textFromUtf8, utf8 } from '@memo/core'
import type { Charges } from './charges.ts'
import { type Ledger, roomOf } from './ledger.ts'
import type { Market } from './market.ts'
import { listTerms, type Term } from './terms.ts'
import type { VoucherDesk } from './vouchers.ts'

/** Bytes of a buyer beyond the trial whose quota ends soon, or has ended. */
export type Ending = {
  readonly kind: QuotaKind
  /** Bytes that nothing signed covers after the end. */
  readonly bytes: bigint
  /** When the first of them are paid no more, in seconds since 1970. */
  readonly until: bigint
  /** When the first of them go. */
  readonly goneAt: bigint
  /** Bytes to buy for all of them; 0 where they are bought and a voucher is missing. */
  readonly missingBytes: bigint
  /** What a voucher must be over for all of them to stay. */
  readonly voucherSize: bigint
  readonly isOver: boolean
}

/** How long what is stored beyond the trial lasts (`spec/gateway.md` 21 to 23). */
export type Lasting = {
  /** Whether a buyer has anything that can end: who never paid costs the chain no question. */
  hasTerms(buyer: Address): Promise<boolean>
  /**
   * Takes what is over into the trial, or under what was signed for since; the oldest first. Returns whose quota something is still
   * over of. The chain's time decides.
   */
  takeOver(buyer: Address): Promise<ReadonlySet<QuotaKind>>
  /**
   * Tells of objects of a buyer when they go if nobody does anything more; undefined for what is not counted as paid. What is signed
   * for beyond its end goes with the quota that it is signed under.
   */
  openEnds(buyer: Address): Promise<(id: string) => Promise<bigint | undefined>>
  /** What ends within {@link WARN_SECONDS} or has ended; none where all of it is covered. */
  listEnding(buyer: Address): Promise<readonly Ending[]>
  /** Notes that a buyer’s end was told on this day; says whether it was not yet. */
  noteTold(buyer: Address, day: number): Promise<boolean>
  /** Notes what is over, so that its grace begins; where it was bought for and not signed for, a second one. */
  noteOver(buyer: Address): Promise<void>
  /** What is over and past its grace by the time of a deep block, the newest first; none while the chain is in doubt. */
  listGone(buyer: Address): Promise<readonly Term[]>
  /** The object of a term is about to be deleted: nothing pays for it any more. False where it was paid for since it was listed. */
  claim(term: Term): Promise<boolean>
  /** The object of a term is not there: nothing of it is counted any more. */
  forget(term: Term): Promise<void>
}

/** So long before a quota ends its buyer is warned. */
const WARN_SECONDS = 30n * 86_400n
/** A term that was seen to be over later than this, because the gateway was down, has its grace from then on. */
const LATE_SECONDS = 86_400n
const LAST = 2n ** 64n
const TOLD = 'told/'
/** Terms of a buyer that are looked at together, the first to end first; what follows comes when those are settled. */
const MAX_TERMS = 10_000
const KINDS: readonly QuotaKind[] = ['space', 'traffic']

export function createLasting(ports: {
  readonly store: IndexStore
  readonly market: Market
  readonly ledger: Ledger
  readonly desk: VoucherDesk
  readonly charges: Charges
  readonly trialBytes: bigint
  readonly graceSeconds: number
  /** A block under so many others stays. */
  readonly depthBlocks: number
}): Lasting {
  const { store, market, ledger, desk, charges, trialBytes, depthBlocks } = ports
  const grace = BigInt(ports.graceSeconds)
  const turn = createTurns()
  const collect = async (buyer: Address, last: bigint): Promise<Term[]> => {
    const terms: Term[] = []
    for await (const term of listTerms(store, buyer, last)) {
      terms.push(term)
      if (terms.length === MAX_TERMS) break
    }
    return terms
  }
  const endOf = ({ until, goneAt = until + grace }: Term) => goneAt
  const termsOf = (buyer: Address, payKind: QuotaKind | undefined) => ({
    buyer,
    trialKind: 'space' as const,
    trialLimit: trialBytes,
    payKind,
  })

  const hasTerms = async (buyer: Address): Promise<boolean> => {
    for await (const _ of listTerms(store, buyer, LAST)) return true
    return false
  }
  const takeOver = async (buyer: Address): Promise<ReadonlySet<QuotaKind>> => {
    const over = new Set<QuotaKind>()
    if (!(await hasTerms(buyer))) return over // who never paid costs the chain no question
    const now = await market.timeAt(0)
    if (now === undefined) return over
    const terms = await collect(buyer, now)
    for (const kind of KINDS.filter((one) => terms.some((term) => term.kind === one))) {
      await desk.look(buyer, kind) // under the nonce of now
      const { expire } = await market.quotaOf(kind, buyer)
      for (const term of terms.filter((one) => one.kind === kind)) {
        const charged = termsOf(buyer, expire > now && expire > term.until ? kind : undefined)
        const room = roomOf(await ledger.read(buyer), charged)
        const isTaken = term.paid <= room.trial + room.paid && (await charges.renew(term, charged, expire))
        if (!isTaken) over.add(kind)
      }
    }
    return over
  }
  const endingOf = async (buyer: Address, kind: QuotaKind, terms: readonly Term[], now: bigint) => {
    const [first] = terms
    if (!first) return undefined
    const info = await market.quotaOf(kind, buyer)
    const state = await ledger.read(buyer)
    const isBought = info.expire > now
    // What fits into the trial, or is signed for under a quota that lasts longer, is taken over by itself.
    const room = roomOf(state, termsOf(buyer, isBought ? kind : undefined))
    const renewable = isBought ? sumOf(terms.filter(({ until }) => until < info.expire)) : 0n
    const bytes = sumOf(terms) - room.trial - minOf(room.paid, renewable)
    if (bytes <= 0n) return undefined
    const voucherSize = (isBought ? (state.quota[kind].voucher?.size ?? 0n) : 0n) + bytes
    const least = renewable === sumOf(terms) ? 0n : 1n // any purchase renews what is there
    return {
      kind,
      bytes,
      until: first.until,
      goneAt: terms.map(endOf).reduce(minOf),
      missingBytes: maxOf(least, voucherSize - (isBought ? boughtOf(info) : 0n)),
      voucherSize,
      isOver: first.until <= now,
    }
  }

  const listEnding = async (buyer: Address): Promise<readonly Ending[]> => {
    if (!(await hasTerms(buyer))) return []
    const now = await market.timeAt(0)
    if (now === undefined) return []
    const terms = await collect(buyer, now + WARN_SECONDS)
    const endings: Ending[] = []
    for (const kind of KINDS) {
      const own = terms.filter((term) => term.kind === kind)
      const ending = await endingOf(buyer, kind, own, now)
      if (ending) endings.push(ending)
    }
    return endings
  }

  /** What is signed for beyond its end, and until when; nothing while the chain does not answer. */
  const findCover = async (buyer: Address) => {
    try {
      const now = (await market.timeAt(0)) ?? 0n
      const endings = await listEnding(buyer)
      const covered = KINDS.filter((kind) => !endings.some((ending) => ending.kind === kind))
      const expires = await Promise.all(
        covered.map(async (kind) => [kind, (await market.quotaOf(kind, buyer)).expire] as const),
      )
      return { last: now + WARN_SECONDS, expires: new Map(expires) }
    } catch (thrown) {
      if (!(thrown instanceof MemoError)) throw thrown
      return { last: 0n, expires: new Map<QuotaKind, bigint>() }
    }
  }

  return {
    hasTerms,
    takeOver: async (buyer) => await turn(buyer, async () => await takeOver(buyer)),
    async openEnds(buyer) {
      if (!(await hasTerms(buyer))) return async () => undefined
      const { last, expires } = await findCover(buyer)
      return async (id) => {
        const term = await charges.findTerm(id)
        if (!term) return undefined
        const next = term.until <= last ? (expires.get(term.kind) ?? 0n) : 0n
        return maxOf(endOf(term), next + grace)
      }
    },
    claim: async (term) => await charges.claim(term),
    forget: async ({ id }) => await charges.forgetLost(id),
    listEnding,
    async noteTold(buyer, day) {
      const key = `${TOLD}${buyer}`
      const last = await store.get(key)
      if (last && textFromUtf8(last) === `${day}`) return false
      await store.apply([{ key, value: utf8(`${day}`) }])
      return true
    },
    async noteOver(buyer) {
      const now = await market.timeAt(0)
      if (now === undefined) return
      const terms = await collect(buyer, now)
      for (const term of terms) {
        const { until, goneAt, isProlonged } = term
        if (goneAt === undefined) {
          const begin = now - until < LATE_SECONDS ? until : now
          await charges.note({ ...term, goneAt: begin + grace })
        } else if (!isProlonged && (await isBoughtFor(term, terms, now))) {
          await charges.note({ ...term, goneAt: now + grace > goneAt ? now + grace : goneAt, isProlonged: true })
        }
      }
    },
    async listGone(buyer) {
      const [now, deep] = [await market.timeAt(0), await market.timeAt(depthBlocks)]
      if (now === undefined || deep === undefined) return []
      const terms = await collect(buyer, minOf(deep, now))
      return terms.filter(({ goneAt }) => goneAt !== undefined && goneAt <= deep).reverse()
    },
  }

  /** Whether the chain has quota for what is over, though its buyer has not signed for it. */
  async function isBoughtFor({ kind, buyer }: Term, terms: readonly Term[], now: bigint): Promise<boolean> {
    const info = await market.quotaOf(kind, buyer)
    if (info.expire <= now) return false
    const { quota } = await ledger.read(buyer)
    const unsigned = boughtOf(info) - (quota[kind].voucher?.size ?? 0n)
    return unsigned >= sumOf(terms.filter((term) => term.kind === kind))
  }
}

/** Says to people what ends, and what to do. */
export function warningOf(endings: readonly Ending[]): string | undefined {
  if (endings.length === 0) return undefined
  return endings.map(sentenceOf).join('; ')
}

function sentenceOf({ kind, bytes, until, goneAt, missingBytes, voucherSize, isOver }: Ending): string {
  const what = `${bytes} bytes that are stored beyond the trial ${isOver ? 'were' : 'are'} paid until ${dayOf(until)}`
  const grace = isOver ? `in grace until ${dayOf(goneAt)}, and then deleted` : `deleted on ${dayOf(goneAt)}`
  const buying = missingBytes > 0n ? `\`memo buy ${kind} ${missingBytes}\` and ` : ''
  return `${what}, ${grace}; ${buying}a voucher over ${voucherSize} bytes of ${kind} keep them`
}

function dayOf(seconds: bigint): string {
  return new Date(Number(seconds) * 1_000).toISOString().slice(0, 10)
}

function sumOf(terms: readonly Term[]): bigint {
  return terms.reduce((sum, { paid }) => sum + paid, 0n)
}

function boughtOf({ sizeByte, freeByte }: QuotaInfo): bigint {
  return sizeByte + freeByte
}

/** The warning for an answer that has more to say: none where the chain does not answer. */
export async function findWarning(lasting: Lasting, buyer: Address): Promise<Warning | undefined> {
  try {
    const endings = await lasting.listEnding(buyer)
    const text = warningOf(endings)
    return text === undefined ? undefined : { text, endings }
  } catch (thrown) {
    if (!(thrown instanceof MemoError)) throw thrown
    return undefined
  }
}

/** What an answer says beside what was asked for. */
export type Warning = { readonly text: string; readonly endings: readonly Ending[] }
