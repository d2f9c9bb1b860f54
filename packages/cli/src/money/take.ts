import { endQuota, getQuota, getQuotaWithdrawable, type QuotaKind, withdrawQuota } from '@memo/chain'
import type { Context, Verb } from '../program.ts'
import { openPayer, type Payer } from './account.ts'
import { type Outcome, type PayingOptions, pay } from './pay.ts'
import { takeReads } from './take-reads.ts'
import { exactMemo, formatMemo } from './units.ts'

/** One transaction on the way: quota that expired is ended before what is left of its money can be taken. */
type Step = { readonly kind: QuotaKind; readonly act: 'end' | 'take'; readonly amountAtto: bigint }

const KINDS: readonly QuotaKind[] = ['space', 'traffic']

/**
 * `memo wallet take`: what the gateway’s market owes this account, as its seller or for quota that expired, and what it has
 * locked for reads under orders that are over.
 */
export const take: Verb<PayingOptions> = async (context, options) => {
  const { output } = context
  const payer = await openPayer(options)
  const reads = await takeReads(context, options, payer)
  if (reads.code !== undefined) return reads.code
  const steps = (await Promise.all(KINDS.map((kind) => findSteps(payer, kind)))).flat()
  if (steps.length === 0 && reads.found > 0) return undefined
  if (steps.length === 0) {
    output.data(`nothing is owed to ${payer.address}, or locked for it under orders that are over`, {
      event: 'taken',
      amountAtto: 0n,
      account: payer.address,
    })
    return undefined
  }
  for (const step of steps) {
    const outcome = await runStep(context, options, payer, step)
    if (!outcome.result && !options.dryRun) return outcome.code
    if (!outcome.result) continue
    const { kind, act, amountAtto } = step
    const { hash, blockNumber } = outcome.result
    const event = act === 'end' ? 'ended' : 'taken'
    output.data(`${hash}  block ${blockNumber}`, { event, kind, amountAtto, tx: hash, block: blockNumber })
  }
  return undefined
}

async function findSteps({ chain, address }: Payer, kind: QuotaKind): Promise<Step[]> {
  const { client, addresses } = chain
  const [owedAtto, quota, block] = await Promise.all([
    getQuotaWithdrawable(client, { addresses, kind, account: address }),
    getQuota(client, { addresses, kind, buyer: address }),
    chain.getBlock(),
  ])
  const isOver = quota.expire !== 0n && Number(quota.expire) < block.timestamp
  const expiredAtto = isOver ? quota.balanceAtto : 0n
  const amountAtto = owedAtto + expiredAtto
  return [
    ...(expiredAtto > 0n ? [{ kind, act: 'end', amountAtto: expiredAtto } as const] : []),
    ...(amountAtto > 0n ? [{ kind, act: 'take', amountAtto } as const] : []),
  ]
}

async function runStep(
  context: Context,
  options: PayingOptions,
  payer: Payer,
  { kind, act, amountAtto }: Step,
): Promise<Outcome> {
  const { signal } = context.runtime
  const isEnd = act === 'end'
  return await pay(
    context,
    options,
    payer,
    {
      intent: { verb: 'wallet take', act, kind, account: payer.address },
      what: isEnd ? `end ${kind} that expired` : `take what is owed for ${kind}`,
      costAtto: 0n,
      rows: isEnd
        ? [['you end', `${kind} that expired, of which ${exactMemo(amountAtto)} is left`]]
        : [
            ['you get', `${exactMemo(amountAtto)}, owed for ${kind}`],
            ['to', payer.address],
          ],
      question: isEnd ? 'End it?' : `Take ${formatMemo(amountAtto)}?`,
      json: { kind, act, amountAtto, account: payer.address },
    },
    async ({ client, addresses }) => {
      return isEnd
        ? await endQuota(client, { addresses, kind, buyer: payer.address, signal })
        : await withdrawQuota(client, { addresses, kind, signal })
    },
  )
}
