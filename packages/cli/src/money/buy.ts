import { buyQuota, getQuota, type QuotaKind } from '@memo/chain'
import { UsageError } from '../errors.ts'
import { formatBytes } from '../output.ts'
import type { Verb } from '../program.ts'
import { parseSize } from '../settings.ts'
import { findTarget, openPayer, type Target } from './account.ts'
import { expiryAfter, getMarketFacts, priceOf } from './market-facts.ts'
import { type PayingOptions, pay } from './pay.ts'
import { exactMemo, formatDay, formatMemo, formatPerGiB } from './units.ts'

export type BuyOptions = PayingOptions & { readonly for?: string }

/** `memo buy space|traffic SIZE`: quota at the gateway, paid from this account. */
export const buy: Verb<BuyOptions> = async (context, options, [kindText = '', ...sizeText]) => {
  const kind = kindOf(kindText)
  const sizeByte = sizeOf(sizeText.join(' '))
  const payer = await openPayer(options)
  const { chain, address: from } = payer
  const { client, addresses } = chain
  const target: Target = options.for ? await findTarget(chain, options.for) : { address: from, did: payer.did }
  const [facts, before] = await Promise.all([
    getMarketFacts(chain),
    getQuota(client, { addresses, kind, buyer: target.address }),
  ])
  const expire = expiryAfter(facts, before, { sizeByte, isOwn: target.address === from })
  const price = priceOf(facts, kind)
  const costAtto = price * BigInt(sizeByte)
  const who = target.did ?? target.address
  const outcome = await pay(
    context,
    options,
    payer,
    {
      intent: { verb: `buy ${kind}`, sizeByte: `${sizeByte}`, buyer: target.address },
      what: `buy ${formatBytes(sizeByte)} of ${kind}`,
      costAtto,
      rows: [
        ['you pay', `${exactMemo(costAtto)}  (${formatPerGiB(price)})`],
        ['from', from],
        ['you get', `${formatBytes(sizeByte)} of ${kind}`],
        ['for', who],
        ['until', formatDay(expire, facts.block.timestamp)],
      ],
      question: `Pay ${formatMemo(costAtto)}?`,
      json: { kind, sizeByte, priceAttoPerByte: price, from, buyer: target.address, expire },
    },
    async (sending) => {
      const { signal } = context.runtime
      const common = { addresses, kind, buyer: target.address, signal }
      return await buyQuota(sending.client, { ...common, sizeByte: BigInt(sizeByte), maxAtto: costAtto })
    },
  )
  if (!outcome.result) return outcome.code
  const { hash, blockNumber } = outcome.result
  const quota = await getQuota(client, { addresses, kind, buyer: target.address })
  const { output } = context
  output.progress(`${output.style('green', 'bought')}  ${formatBytes(sizeByte)} of ${kind} for ${who}`)
  output.data(`${hash}  block ${blockNumber}`, {
    event: 'bought',
    ...{ kind, sizeByte, costAtto, buyer: target.address, did: target.did ?? null },
    ...{ tx: hash, block: blockNumber, expire: Number(quota.expire), isResumed: outcome.isResumed },
  })
  return undefined
}

/** Errors: UsageError. */
export function kindOf(text: string): QuotaKind {
  if (text === 'space' || text === 'traffic') return text
  throw new UsageError(
    `${text === '' ? 'nothing' : text} is not for sale`,
    'Say space or traffic, as in: memo buy space 10GiB',
  )
}

/** A size of quota, which is at least a byte. Errors: UsageError. */
export function sizeOf(text: string): number {
  const sizeByte = parseSize(text)
  if (sizeByte === 0) throw new UsageError('0 bytes are nothing', 'Write a size as 10GiB, 1.5TB, 500 MB …')
  return sizeByte
}
