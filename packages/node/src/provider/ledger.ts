import { type IndexChange, type IndexStore, textFromUtf8, utf8 } from '@memo/core'
import type { ChainMark, MoneyEvents } from './money-port.ts'

/** What the chain has paid this provider up to a block. */
export type LedgerTotals = {
  readonly mark: ChainMark | undefined
  readonly settledAtto: bigint
  readonly redeemedAtto: bigint
}

/** The provider's orders and income, as the chain's events tell them, durable in an {@link IndexStore}. */
export type Ledger = {
  getTotals(): Promise<LedgerTotals>
  /** Adds a stretch of events, which is counted once whatever happens. */
  add(stretch: MoneyEvents): Promise<void>
  /** Begins anew: the chain has rewound. */
  reset(): Promise<void>
  /** Orders that are not paid out to their end, by number, after `after`. */
  listOpen(after: bigint | undefined, limit: number): Promise<readonly bigint[]>
  /** The order is paid out to its end. */
  close(orderId: bigint): Promise<void>
}

const TOTALS = 'ledger/totals'
/** Every order of this provider, with whether it is open. */
const ORDER = 'ledger/order/'
const OPEN = 'ledger/open/'
const ID_DIGITS = 20
const PAGE = 1_000
const NONE = { settledAtto: '0', redeemedAtto: '0' }

type StoredTotals = { readonly mark?: ChainMark; readonly settledAtto: string; readonly redeemedAtto: string }

export function createLedger(index: IndexStore): Ledger {
  const getTotals = async (): Promise<LedgerTotals> => {
    const value = await index.get(TOTALS)
    const { mark, settledAtto, redeemedAtto } = value
      ? (JSON.parse(textFromUtf8(value)) as StoredTotals)
      : { mark: undefined, ...NONE }
    return { mark, settledAtto: BigInt(settledAtto), redeemedAtto: BigInt(redeemedAtto) }
  }
  return {
    getTotals,
    async add({ events, mark }) {
      const changes: IndexChange[] = []
      const opened = new Set<bigint>()
      const isOwn = async (orderId: bigint) =>
        opened.has(orderId) || (await index.get(ORDER + idText(orderId))) !== undefined
      let { settledAtto, redeemedAtto } = await getTotals()
      for (const event of events) {
        const { orderId } = event
        if (event.type === 'order-opened') {
          opened.add(orderId)
          changes.push(...[ORDER, OPEN].map((prefix) => ({ key: prefix + idText(orderId), value: utf8(`${orderId}`) })))
        } else if (event.type === 'order-settled') {
          if (await isOwn(orderId)) settledAtto += event.incomeAtto
        } else if (event.type === 'reads-paid' && (await isOwn(orderId))) redeemedAtto += event.amountAtto
      }
      const totals: StoredTotals = { mark, settledAtto: `${settledAtto}`, redeemedAtto: `${redeemedAtto}` }
      await index.apply([...changes, { key: TOTALS, value: utf8(JSON.stringify(totals)) }])
    },
    async reset() {
      for (const prefix of [ORDER, OPEN]) {
        for (;;) {
          const rows = await index.list({ prefix, limit: PAGE })
          await index.apply([{ key: TOTALS }, ...rows.map(({ key }) => ({ key }))])
          if (rows.length < PAGE) break
        }
      }
    },
    async listOpen(after, limit) {
      const from = after === undefined ? {} : { after: OPEN + idText(after) }
      const rows = await index.list({ prefix: OPEN, limit, ...from })
      return rows.map(({ value }) => BigInt(textFromUtf8(value)))
    },
    async close(orderId) {
      await index.apply([{ key: OPEN + idText(orderId) }])
    },
  }
}

function idText(orderId: bigint): string {
  return `${orderId}`.padStart(ID_DIGITS, '0')
}
