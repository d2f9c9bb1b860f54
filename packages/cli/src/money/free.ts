import { getQuota, grantQuota } from '@memo/chain'
import { BadInputError } from '@memo/core'
import { UsageError } from '../errors.ts'
import { isLocalNetwork, LOCAL_BANK_KEY, localBankAddress } from '../local-chain.ts'
import { formatBytes } from '../output.ts'
import type { Context, Verb } from '../program.ts'
import { dataDirOf, networkOf } from '../settings.ts'
import { findKept, findTarget, openChain, openPayer, type Payer, payerOf } from './account.ts'
import { askLine, canAsk } from './ask.ts'
import { kindOf, sizeOf } from './buy.ts'
import { assertGranter, mayGrant } from './granters.ts'
import { expiryAfter, getMarketFacts } from './market-facts.ts'
import { type PayingOptions, pay } from './pay.ts'
import { formatDay } from './units.ts'

export type FreeOptions = PayingOptions & {
  readonly type?: string
  readonly to?: string
  readonly size?: string
  readonly reason?: string
}

const MAX_REASON_BYTES = 256

/** `memo admin free`: space or traffic for nothing (`spec/space-market.md` 9). */
export const free: Verb<FreeOptions> = async (context, options) => {
  const { type, to, size, reason } = await complete(options)
  const kind = kindOf(type)
  const sizeByte = sizeOf(size)
  assertReason(reason)
  const chain = await openChain(options)
  const target = await findTarget(chain, to)
  const payer = await openGranter(options)
  await assertGranter(chain, payer.address)
  const { addresses } = chain
  const buyer = target.address
  const [facts, before] = await Promise.all([getMarketFacts(chain), getQuota(chain.client, { addresses, kind, buyer })])
  const until = expiryAfter(facts, before, { sizeByte, isOwn: false })
  const outcome = await pay(
    context,
    options,
    payer,
    {
      intent: { verb: 'admin free', kind, sizeByte: `${sizeByte}`, buyer, reason },
      what: `grant ${formatBytes(sizeByte)} of ${kind}`,
      costAtto: 0n,
      rows: [
        ['you grant', `${formatBytes(sizeByte)} of ${kind}, for nothing`],
        ['as', payer.address],
        ['to', target.did ?? buyer],
        ['until', formatDay(until, facts.block.timestamp)],
        ['reason', reason],
      ],
      question: 'Grant it?',
      json: { kind, sizeByte, to: buyer, did: target.did ?? null, reason, admin: payer.address },
    },
    async ({ client }) => {
      const { signal } = context.runtime
      return await grantQuota(client, { addresses, kind, to: buyer, sizeByte: BigInt(sizeByte), reason, signal })
    },
  )
  if (!outcome.result) return outcome.code
  const { freeByte, expire } = await getQuota(chain.client, { addresses, kind, buyer })
  report(context, { target: target.did ?? buyer, sizeByte, kind })
  context.output.data(`${outcome.result.hash}  block ${outcome.result.blockNumber}`, {
    event: 'granted',
    kind,
    sizeByte,
    to: buyer,
    did: target.did ?? null,
    reason,
    admin: payer.address,
    grantedBytes: freeByte,
    expire: Number(expire),
    tx: outcome.result.hash,
    block: outcome.result.blockNumber,
    isResumed: outcome.isResumed,
  })
  return undefined
}

function report({ output }: Context, done: { target: string; sizeByte: number; kind: string }): void {
  const { target, sizeByte, kind } = done
  output.progress(`${output.style('green', 'granted')}  ${formatBytes(sizeByte)} of ${kind} to ${target}`)
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

/** Errors: BadInputError. */
export function assertReason(reason: string): void {
  const bytes = Buffer.byteLength(reason)
  if (bytes > 0 && bytes <= MAX_REASON_BYTES) return
  throw new BadInputError(`a reason has 1 to ${MAX_REASON_BYTES} bytes, not ${bytes}`, {
    fix: 'Say in a few words why, with --reason.',
  })
}

/** Who grants: `--key`, else the account of the data directory, else on a local network the bank, which deployed it. */
export async function openGranter(options: PayingOptions): Promise<Payer> {
  const dataDir = dataDirOf(options)
  const network = networkOf(options, findKept(dataDir))
  if (options.key === undefined && (await isLocalNetwork(network.rpcUrl))) {
    const chain = await openChain(options)
    if (await mayGrant(chain, localBankAddress())) {
      return await payerOf({ secretKey: LOCAL_BANK_KEY, did: undefined, dataDir, isLocal: true, ...network })
    }
  }
  return await openPayer(options)
}
