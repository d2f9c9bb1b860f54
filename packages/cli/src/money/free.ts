import { getQuota } from '@memo/chain'
import { UsageError } from '../errors.ts'
import { formatBytes } from '../output.ts'
import type { Verb } from '../program.ts'
import { findTarget, openChain } from './account.ts'
import { askLine, canAsk } from './ask.ts'
import { kindOf, sizeOf } from './buy.ts'
import { assertReason, openGranter, sendGrant } from './grants.ts'
import type { PayingOptions } from './pay.ts'

export type FreeOptions = PayingOptions & {
  readonly type?: string
  readonly to?: string
  readonly size?: string
  readonly reason?: string
}

/** `memo admin free`: space or traffic for nothing (`spec/space-market.md` 9). */
export const free: Verb<FreeOptions> = async (context, options) => {
  const { type, to, size, reason } = await complete(options)
  const kind = kindOf(type)
  const sizeByte = sizeOf(size)
  assertReason(reason)
  const chain = await openChain(options)
  const target = await findTarget(chain, to)
  const payer = await openGranter(options)
  const { address: buyer, did = null } = target
  const intent = { verb: 'admin free', kind, sizeByte: `${sizeByte}`, buyer, reason }
  const outcome = await sendGrant(context, options, payer, { kind, target, sizeByte, reason }, { intent })
  if (!outcome.result) return outcome.code
  const { output } = context
  const { hash, blockNumber } = outcome.result
  const { freeByte, expire } = await getQuota(chain.client, { addresses: chain.addresses, kind, buyer })
  output.progress(`${output.style('green', 'granted')}  ${formatBytes(sizeByte)} of ${kind} to ${did ?? buyer}`)
  output.data(`${hash}  block ${blockNumber}`, {
    event: 'granted',
    ...{ kind, sizeByte, to: buyer, did, reason, admin: payer.address },
    grantedBytes: freeByte,
    expire: Number(expire),
    tx: hash,
    block: blockNumber,
    isResumed: outcome.isResumed,
  })
  return undefined
}

type Complete = Readonly<Record<'type' | 'to' | 'size' | 'reason', string>>

/** What is not given is asked for on a terminal. Errors: UsageError, which names all that is missing. */
async function complete(options: FreeOptions): Promise<Complete> {
  const questions: Readonly<Record<keyof Complete, string>> = {
    type: 'space or traffic: ',
    to: 'to whom (DID or address): ',
    size: 'how much (as 10GiB): ',
    reason: 'reason, which the chain records: ',
  }
  const names = Object.keys(questions) as (keyof Complete)[]
  const missing = names.filter((name) => options[name] === undefined)
  if (missing.length > 0 && !canAsk()) {
    throw new UsageError(
      `missing: ${missing.map((name) => `--${name}`).join(', ')}`,
      'As in: memo admin free --type=space --to did:memo:… --size 10GiB --reason "a tweet about MEMO"',
    )
  }
  if (options.type !== undefined) kindOf(options.type)
  if (options.size !== undefined) sizeOf(options.size)
  const given: Record<string, string> = {}
  for (const name of names) given[name] = options[name] ?? (await askLine(questions[name])).trim()
  return given as Complete
}
