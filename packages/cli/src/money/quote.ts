import { getEpochs, quoteOrder } from '@memo/chain'
import {
  type Account,
  type ErasurePolicy,
  parseErasurePolicy,
  partGeometry,
  partStoredBytesOf,
  sealedBytesOf,
} from '@memo/core'
import { DEFAULT_POLICY } from '@memo/sdk'
import { UsageError } from '../errors.ts'
import { formatBytes, formatTable } from '../output.ts'
import type { Verb } from '../program.ts'
import { dataDirOf, findProfile, parseSize } from '../settings.ts'
import { type AccountOptions, openChain } from './account.ts'
import { expiryOf, getMarketFacts } from './market-facts.ts'
import { formatDay, formatDuration, formatMemo, formatPerGiB, formatPerGiBMonth, parseDuration } from './units.ts'

export type QuoteOptions = AccountOptions & { readonly size: string; readonly for: string; readonly policy?: string }

/** What one provider would get for its share, and what that costs with fees. */
type Offer = {
  readonly provider: Account
  readonly incomeAtto: bigint
  readonly costAtto: bigint
  readonly readAttoPerByte: bigint
}

/** `memo quote`: what the gateway asks, and what the same costs at the providers, as the chain has it. */
export const quote: Verb<QuoteOptions> = async ({ output }, options) => {
  const sizeBytes = parseSize(options.size)
  if (sizeBytes === 0) throw new UsageError('--size 0 is nothing to store', 'Write it as 10GiB, 1.5TB, 500 MB …')
  const seconds = parseDuration(options.for)
  const policyText = options.policy ?? findProfile(dataDirOf(options))?.policy ?? DEFAULT_POLICY
  const policy = parseErasurePolicy(policyText)
  const chain = await openChain(options)
  const { client, addresses } = chain
  const [facts, epochs, providers] = await Promise.all([
    getMarketFacts(chain),
    getEpochs(client, { addresses }),
    chain.listProviders(),
  ])
  const pieceBytes = BigInt(piecesBytesOf(sizeBytes, policy))
  const epochCount = (BigInt(seconds) + epochs.epochSeconds - 1n) / epochs.epochSeconds
  const active = providers.filter(({ state }) => state === 'active')
  const offers = await Promise.all(
    active.map(async (provider): Promise<Offer> => {
      const { storagePriceAttoPerGiBSecond: priceAttoPerGiBSecond, retrievalPriceAttoPerByte } = provider
      const epoch = await quoteOrder(client, { addresses, sizeBytes: pieceBytes, priceAttoPerGiBSecond })
      return {
        provider,
        incomeAtto: epoch.incomePerEpochAtto * epochCount,
        costAtto: epoch.costPerEpochAtto * epochCount,
        readAttoPerByte: retrievalPriceAttoPerByte,
      }
    }),
  )
  offers.sort((a, b) => (a.costAtto < b.costAtto ? -1 : a.costAtto > b.costAtto ? 1 : 0))
  const needed = policy.dataShards + policy.parityShards
  const chosen = offers.slice(0, needed)
  const costAtto = sum(chosen, ({ costAtto }) => costAtto)
  const feesAtto = costAtto - sum(chosen, ({ incomeAtto }) => incomeAtto)
  // Any k pieces give the file back: the cheapest readers do.
  const readers = chosen
    .toSorted((a, b) => (a.readAttoPerByte < b.readAttoPerByte ? -1 : 1))
    .slice(0, policy.dataShards)
  const readAtto = sum(readers, ({ readAttoPerByte }) => readAttoPerByte * pieceBytes)
  const spaceAtto = facts.spacePriceAttoPerByte * BigInt(sizeBytes)
  const trafficAtto = facts.trafficPriceAttoPerByte * BigInt(sizeBytes)
  for (const { provider, incomeAtto, costAtto: cost, readAttoPerByte } of offers) {
    output.event({
      event: 'offer',
      provider: provider.address,
      region: provider.region,
      priceAttoPerGiBSecond: provider.storagePriceAttoPerGiBSecond,
      readPriceAttoPerByte: readAttoPerByte,
      sizeBytes: pieceBytes,
      incomeAtto,
      costAtto: cost,
    })
  }
  const length = formatDuration(seconds)
  const isEnough = chosen.length === needed
  const rows = offers.map(({ provider, costAtto: cost, readAttoPerByte }, i) => [
    i < needed && isEnough ? '  *' : '   ',
    provider.address,
    provider.region,
    formatPerGiBMonth(provider.storagePriceAttoPerGiBSecond),
    formatMemo(cost),
    formatPerGiB(readAttoPerByte),
  ])
  const text = [
    `${formatBytes(sizeBytes)}, block ${facts.block.number}`,
    '',
    'at the gateway, which buys storage for you',
    formatTable([
      [
        '  space',
        formatMemo(spaceAtto),
        formatPerGiB(facts.spacePriceAttoPerByte),
        `until ${formatDay(expiryOf(facts), facts.block.timestamp)}`,
      ],
      ['  traffic', formatMemo(trafficAtto), formatPerGiB(facts.trafficPriceAttoPerByte), 'to fetch it once'],
    ]),
    '',
    `at the providers, ${policyText} for ${length}: ${needed} pieces of ${formatBytes(Number(pieceBytes))}`,
    ...(rows.length > 0
      ? [formatTable([['   ', 'provider', 'region', 'asks', `one piece, ${length}`, 'reading'], ...rows])]
      : []),
    ...(isEnough
      ? [
          '',
          formatTable([
            ['  in all', formatMemo(costAtto), `of which fees ${formatMemo(feesAtto)}`],
            ['  reading', formatMemo(readAtto), 'to fetch it once'],
          ]),
        ]
      : [`  ${policyText} needs ${needed} providers, and ${offers.length} are active`]),
  ]
  output.data(text.join('\n'), {
    event: 'quote',
    block: facts.block.number,
    sizeBytes,
    seconds,
    policy: policyText,
    gateway: {
      spacePriceAttoPerByte: facts.spacePriceAttoPerByte,
      spaceAtto,
      spaceValidityDays: facts.validityDays,
      trafficPriceAttoPerByte: facts.trafficPriceAttoPerByte,
      trafficAtto,
    },
    direct: {
      providersNeeded: needed,
      providersActive: offers.length,
      pieceBytes,
      epochs: epochCount,
      costAtto: isEnough ? costAtto : null,
      feesAtto: isEnough ? feesAtto : null,
      readAtto: isEnough ? readAtto : null,
    },
  })
  return undefined
}

/** Bytes that each provider keeps of a sealed object (`spec/objects.md` 4). */
function piecesBytesOf(sizeBytes: number, { dataShards, parityShards }: ErasurePolicy): number {
  const stored = sealedBytesOf(sizeBytes)
  const partBytes = partStoredBytesOf(dataShards)
  const rest = stored % partBytes
  const whole = Math.floor(stored / partBytes) * partGeometry(partBytes, dataShards, parityShards).pieceBytes
  return whole + (rest === 0 ? 0 : partGeometry(rest, dataShards, parityShards).pieceBytes)
}

function sum(offers: readonly Offer[], of: (offer: Offer) => bigint): bigint {
  return offers.reduce((total, offer) => total + of(offer), 0n)
}
