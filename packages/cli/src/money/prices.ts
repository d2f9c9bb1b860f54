import {
  announceMarketTerms,
  getAnnouncedTerms,
  getSeller,
  type LockParams,
  type MarketTerms,
  type MemoChain,
} from '@memo/chain'
import { type Address, findAddress } from '@memo/core'
import { UsageError } from '../errors.ts'
import { formatTable } from '../output.ts'
import type { Context, Verb } from '../program.ts'
import { openChain } from './account.ts'
import { openGranter } from './grants.ts'
import { getMarketFacts, type MarketFacts } from './market-facts.ts'
import { type PayingOptions, pay } from './pay.ts'
import { formatDistance, formatDuration, formatPerGiB } from './units.ts'

export type PricesOptions = PayingOptions & {
  readonly space?: string
  readonly traffic?: string
  readonly seller?: string
}

/** What the market asks, and what was announced. */
type Market = {
  readonly facts: MarketFacts
  readonly now: MarketTerms
  /** What is announced and does not count yet. */
  readonly coming: (MarketTerms & { readonly dueAt: number; readonly dueBlock: number }) | undefined
  readonly delay: LockParams
}

const MAX_PRICE: bigint = 2n ** 64n - 1n

/** `memo admin prices`: what the gateway’s market asks; with `--space`, `--traffic` or `--seller` announces a change. */
export const prices: Verb<PricesOptions> = async (context, options) => {
  const chain = await openChain(options)
  const market = await readMarket(chain)
  const isChange = [options.space, options.traffic, options.seller].some((value) => value !== undefined)
  if (isChange) return await announce(context, options, market)
  const { facts, now, coming } = market
  const { block } = facts
  const { output } = context
  const rows = [
    [
      'space',
      `${now.spacePriceAttoPerByte.toLocaleString('en')} attomemo/byte`,
      formatPerGiB(now.spacePriceAttoPerByte),
    ],
    [
      'traffic',
      `${now.trafficPriceAttoPerByte.toLocaleString('en')} attomemo/byte`,
      formatPerGiB(now.trafficPriceAttoPerByte),
    ],
    ['seller', now.seller],
    ['valid for', formatDuration(facts.validityDays * 86_400)],
  ]
  const announced = coming && [
    `announced, to count ${formatDistance(Math.max(0, coming.dueAt - block.timestamp))}, from block ${coming.dueBlock} on`,
    formatTable([
      ['  space', `${coming.spacePriceAttoPerByte} attomemo/byte`],
      ['  traffic', `${coming.trafficPriceAttoPerByte} attomemo/byte`],
      ['  seller', coming.seller],
    ]),
  ]
  output.data([formatTable(rows), ...(announced ?? []), `on chain, block ${block.number}`].join('\n'), {
    event: 'prices',
    ...now,
    validityDays: facts.validityDays,
    announced: coming ?? null,
    block: block.number,
  })
  return undefined
}

async function readMarket(chain: MemoChain): Promise<Market> {
  const { client, addresses } = chain
  const [facts, seller, { terms: later, announcedAt, announcedBlock, delay }] = await Promise.all([
    getMarketFacts(chain),
    getSeller(client, { addresses }),
    getAnnouncedTerms(client, { addresses }),
  ])
  const { spacePriceAttoPerByte, trafficPriceAttoPerByte } = facts
  const now = { spacePriceAttoPerByte, trafficPriceAttoPerByte, seller }
  const isComing = announcedBlock !== 0n && describe(later) !== describe(now)
  const due = {
    dueAt: Number(announcedAt + delay.waitSeconds),
    dueBlock: Number(announcedBlock + delay.waitBlocks),
  }
  return { facts, now, coming: isComing ? { ...later, ...due } : undefined, delay }
}

function describe({ spacePriceAttoPerByte, trafficPriceAttoPerByte, seller }: MarketTerms): string {
  return `${spacePriceAttoPerByte}/${trafficPriceAttoPerByte}/${seller}`
}

async function announce(context: Context, options: PricesOptions, { now, delay }: Market): Promise<number | undefined> {
  const terms: MarketTerms = {
    spacePriceAttoPerByte: priceFrom('--space', options.space) ?? now.spacePriceAttoPerByte,
    trafficPriceAttoPerByte: priceFrom('--traffic', options.traffic) ?? now.trafficPriceAttoPerByte,
    seller: sellerFrom(options.seller) ?? now.seller,
  }
  const payer = await openGranter(options)
  const change = (from: unknown, to: unknown) => (from === to ? `${to}` : `${from} → ${to}`)
  const outcome = await pay(
    context,
    options,
    payer,
    {
      intent: { verb: 'admin prices', terms: describe(terms) },
      what: 'announce prices',
      costAtto: 0n,
      rows: [
        ['space', `${change(now.spacePriceAttoPerByte, terms.spacePriceAttoPerByte)} attomemo/byte`],
        ['traffic', `${change(now.trafficPriceAttoPerByte, terms.trafficPriceAttoPerByte)} attomemo/byte`],
        ['seller', change(now.seller, terms.seller)],
        ['counts', `after ${formatDuration(Number(delay.waitSeconds))} and ${delay.waitBlocks} blocks`],
        ['as', payer.address],
      ],
      question: 'Announce it?',
      json: terms,
    },
    async ({ client, addresses }) => {
      return await announceMarketTerms(client, { addresses, ...terms, signal: context.runtime.signal })
    },
  )
  if (!outcome.result) return outcome.code
  const { hash, blockNumber } = outcome.result
  context.output.data(`${hash}  block ${blockNumber}`, { event: 'announced', ...terms, tx: hash, block: blockNumber })
  return undefined
}

function priceFrom(flag: string, text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined
  const price = /^\d{1,20}$/.test(text) ? BigInt(text) : 0n
  if (price > 0n && price <= MAX_PRICE) return price
  throw new UsageError(
    `${flag} ${text} is not a price`,
    'Give attomemo for a byte, a whole number from 1 on, as 25000.',
  )
}

function sellerFrom(text: string | undefined): Address | undefined {
  if (text === undefined) return undefined
  const address = findAddress(text)
  if (address) return address
  throw new UsageError(`--seller ${text} is not an address`, 'Give 0x… with 40 digits.')
}
