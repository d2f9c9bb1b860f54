import { parseErasurePolicy } from '@memo/core'
import { DEFAULT_POLICY } from '@memo/sdk'
import { formatBytes, formatTable } from '../output.ts'
import type { Verb } from '../program.ts'
import { dataDirOf, findProfile } from '../settings.ts'
import { type AccountOptions, openChain } from './account.ts'
import { sizeOf } from './buy.ts'
import { expiryOf, getMarketFacts, type MarketFacts } from './market-facts.ts'
import { type DirectQuote, quoteProviders } from './offers.ts'
import { formatDay, formatDuration, formatMemo, formatPerGiB, formatPerGiBMonth, parseDuration } from './units.ts'

export type QuoteOptions = AccountOptions & { readonly size: string; readonly for: string; readonly policy?: string }

/** What is asked for. */
type Wish = { readonly sizeBytes: number; readonly seconds: number; readonly policy: string }

/** `memo quote`: what the gateway asks, and what the same costs at the providers, as the chain has it. */
export const quote: Verb<QuoteOptions> = async ({ output }, options) => {
  const policy = options.policy ?? findProfile(dataDirOf(options))?.policy ?? DEFAULT_POLICY
  const wish: Wish = { sizeBytes: sizeOf(options.size), seconds: parseDuration(options.for), policy }
  const parsed = parseErasurePolicy(policy)
  const chain = await openChain(options)
  const [facts, direct] = await Promise.all([getMarketFacts(chain), quoteProviders(chain, { ...wish, policy: parsed })])
  for (const { provider, incomeAtto, costAtto } of direct.offers) {
    output.event({
      event: 'offer',
      provider: provider.address,
      region: provider.region,
      priceAttoPerGiBSecond: provider.storagePriceAttoPerGiBSecond,
      readPriceAttoPerByte: provider.retrievalPriceAttoPerByte,
      sizeBytes: direct.pieceBytes,
      incomeAtto,
      costAtto,
    })
  }
  output.data(describe(wish, facts, direct), { event: 'quote', ...jsonOf(wish, facts, direct) })
  return undefined
}

function describe(wish: Wish, facts: MarketFacts, { pieceBytes, providersNeeded, offers, sums }: DirectQuote): string {
  const { spacePriceAttoPerByte: space, trafficPriceAttoPerByte: traffic, block } = facts
  const size = BigInt(wish.sizeBytes)
  const length = formatDuration(wish.seconds)
  const until = formatDay(expiryOf(facts), block.timestamp)
  const rows = offers.map(({ provider, costAtto }, i) => [
    sums && i < providersNeeded ? '  *' : '   ',
    provider.address,
    provider.region,
    formatPerGiBMonth(provider.storagePriceAttoPerGiBSecond),
    formatMemo(costAtto),
    formatPerGiB(provider.retrievalPriceAttoPerByte),
  ])
  const header = ['   ', 'provider', 'region', 'asks', `one piece, ${length}`, 'reading']
  const inAll = sums && [
    ['  * in all', formatMemo(sums.costAtto), `of which fees ${formatMemo(sums.feesAtto)}`],
    ['  reading', formatMemo(sums.readAtto), 'to fetch it once'],
  ]
  return [
    `${formatBytes(wish.sizeBytes)}, prices on chain at block ${block.number}`,
    '',
    'at the gateway, which stores it for you',
    formatTable([
      ['  space', formatMemo(space * size), formatPerGiB(space), `until ${until}`],
      ['  traffic', formatMemo(traffic * size), formatPerGiB(traffic), 'to fetch it once'],
    ]),
    '',
    `at the providers, ${wish.policy} for ${length}: ${providersNeeded} pieces of ${formatBytes(Number(pieceBytes))}`,
    ...(rows.length > 0 ? [formatTable([header, ...rows])] : []),
    ...(inAll
      ? ['', formatTable(inAll)]
      : [`  ${wish.policy} needs ${providersNeeded} providers, and ${offers.length} are active`]),
  ].join('\n')
}

function jsonOf(wish: Wish, facts: MarketFacts, direct: DirectQuote): Readonly<Record<string, unknown>> {
  const { spacePriceAttoPerByte, trafficPriceAttoPerByte, validityDays, block } = facts
  const { pieceBytes, epochs, providersNeeded, offers, sums } = direct
  return {
    block: block.number,
    ...wish,
    gateway: {
      spacePriceAttoPerByte,
      spaceAtto: spacePriceAttoPerByte * BigInt(wish.sizeBytes),
      spaceValidityDays: validityDays,
      trafficPriceAttoPerByte,
      trafficAtto: trafficPriceAttoPerByte * BigInt(wish.sizeBytes),
    },
    direct: {
      providersNeeded,
      providersActive: offers.length,
      pieceBytes,
      epochs,
      costAtto: sums?.costAtto ?? null,
      feesAtto: sums?.feesAtto ?? null,
      readAtto: sums?.readAtto ?? null,
    },
  }
}
