import { announceMarketTerms, getSeller } from '@memo/chain'
import { spaceMarketAbi } from '@memo/contracts'
import { type Address, findAddress } from '@memo/core'
import { UsageError } from '../errors.ts'
import { formatTable } from '../output.ts'
import type { Verb } from '../program.ts'
import { openChain } from './account.ts'
import { openGranter } from './free.ts'
import { getMarketFacts } from './market-facts.ts'
import { type PayingOptions, pay } from './pay.ts'
import { asking } from './rpc.ts'
import { formatDuration, formatPerGiB } from './units.ts'

export type PricesOptions = PayingOptions & {
  readonly space?: string
  readonly traffic?: string
  readonly seller?: string
}

const MAX_PRICE: bigint = 2n ** 64n - 1n

/** `memo admin prices`: what the gateway’s market asks; with `--space`, `--traffic` or `--seller` announces a change. */
export const prices: Verb<PricesOptions> = async (context, options) => {
  const chain = await openChain(options)
  const { client, addresses } = chain
  const [facts, seller, announced] = await Promise.all([
    getMarketFacts(chain),
    getSeller(client, { addresses }),
    asking(client, 'announced', async () => {
      const contract = { address: addresses.spaceMarket, abi: spaceMarketAbi } as const
      return await client.rpc.readContract({ ...contract, functionName: 'announced' })
    }),
  ])
  const [next, announcedAt, announcedBlock, delay] = announced
  const { spacePriceAttoPerByte, trafficPriceAttoPerByte, block } = facts
  const isChange = [options.space, options.traffic, options.seller].some((value) => value !== undefined)
  if (!isChange) {
    const isComing =
      announcedBlock !== 0n &&
      (next.spacePrice !== spacePriceAttoPerByte ||
        next.trafficPrice !== trafficPriceAttoPerByte ||
        findAddress(next.seller) !== seller)
    const rows = [
      ['space', `${spacePriceAttoPerByte} attomemo a byte`, formatPerGiB(spacePriceAttoPerByte)],
      ['traffic', `${trafficPriceAttoPerByte} attomemo a byte`, formatPerGiB(trafficPriceAttoPerByte)],
      ['seller', seller],
      ['valid', `${facts.validityDays} days`],
    ]
    const dueAt = Number(announcedAt + delay.waitSeconds)
    const coming = isComing
      ? [
          `announced: space ${next.spacePrice}, traffic ${next.trafficPrice}, seller ${next.seller}; due in ${formatDuration(Math.max(0, dueAt - block.timestamp))} and from block ${announcedBlock + delay.waitBlocks} on`,
        ]
      : []
    context.output.data([formatTable(rows), ...coming, `on chain, block ${block.number}`].join('\n'), {
      event: 'prices',
      spacePriceAttoPerByte,
      trafficPriceAttoPerByte,
      seller,
      validityDays: facts.validityDays,
      announced: isComing
        ? {
            spacePriceAttoPerByte: next.spacePrice,
            trafficPriceAttoPerByte: next.trafficPrice,
            seller: next.seller.toLowerCase(),
            dueAt,
            dueBlock: announcedBlock + delay.waitBlocks,
          }
        : null,
      block: block.number,
    })
    return undefined
  }
  const terms = {
    spacePriceAttoPerByte: priceFrom('--space', options.space) ?? spacePriceAttoPerByte,
    trafficPriceAttoPerByte: priceFrom('--traffic', options.traffic) ?? trafficPriceAttoPerByte,
    seller: sellerFrom(options.seller) ?? seller,
  }
  const payer = await openGranter(options)
  const outcome = await pay(
    context,
    options,
    payer,
    {
      intent: {
        verb: 'admin prices',
        space: `${terms.spacePriceAttoPerByte}`,
        traffic: `${terms.trafficPriceAttoPerByte}`,
        seller: terms.seller,
      },
      what: 'announce prices',
      costAtto: 0n,
      rows: [
        ['space', `${spacePriceAttoPerByte} → ${terms.spacePriceAttoPerByte} attomemo a byte`],
        ['traffic', `${trafficPriceAttoPerByte} → ${terms.trafficPriceAttoPerByte} attomemo a byte`],
        ['seller', terms.seller === seller ? seller : `${seller} → ${terms.seller}`],
        ['counts', `after ${formatDuration(Number(delay.waitSeconds))} and ${delay.waitBlocks} blocks`],
        ['as', payer.address],
      ],
      question: 'Announce it?',
      json: terms,
    },
    async (sending) =>
      await announceMarketTerms(sending.client, { addresses, ...terms, signal: context.runtime.signal }),
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
