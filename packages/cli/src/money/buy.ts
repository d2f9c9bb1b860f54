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
  assertCountable(before.sizeByte, sizeByte)
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
  const kind = text.trim().toLowerCase()
  if (kind === 'space' || kind === 'traffic') return kind
  throw new UsageError(
    `${text === '' ? 'nothing' : text} is neither space nor traffic`,
    'Say one of them: space, traffic',
  )
}

/** The contract counts what one account has of a kind in 64 bits. */
const MAX_QUOTA_BYTES = 2n ** 64n - 1n

/** Errors: UsageError where an account would have more of something than the contract can count. */
export function assertCountable(hasByte: bigint, moreByte: number): void {
  const room = MAX_QUOTA_BYTES - hasByte
  if (BigInt(moreByte) <= room) return
  throw new UsageError(
    `${moreByte} bytes more are too many: the account has ${hasByte} already, and the contract counts up to ${MAX_QUOTA_BYTES}`,
    `Take at most ${room} bytes.`,
  )
}

/** A size of quota, which is at least a byte. Errors: UsageError. */
export function sizeOf(text: string): number {
  const sizeByte = parseSize(text)
  if (sizeByte === 0) throw new UsageError('0 bytes are nothing', 'Write a size as 10GiB, 1.5TB, 500 MB …')
  return sizeByte
}
