import { getQuota, grantQuota, isGranter, listGranters, type MemoChain, type QuotaKind } from '@memo/chain'
import { type Address, BadInputError } from '@memo/core'
import { NotGranterError } from '../errors.ts'
import { isLocalNetwork, LOCAL_BANK_KEY, localBankAddress } from '../local-chain.ts'
import { formatBytes } from '../output.ts'
import type { Context } from '../program.ts'
import { dataDirOf, networkOf } from '../settings.ts'
import { findKept, openChain, openPayer, type Payer, payerOf, type Target } from './account.ts'
import { assertCountable } from './buy.ts'
import { expiryAfter, getMarketFacts } from './market-facts.ts'
import { type Outcome, type PayingOptions, type Proposal, pay } from './pay.ts'
import { formatDay } from './units.ts'

/** Quota that an administrator gives for nothing. */
export type Grant = {
  readonly kind: QuotaKind
  readonly target: Target
  readonly sizeByte: number
  /** The chain records it. */
  readonly reason: string
}

const MAX_REASON_BYTES = 256

/**
 * Shows a grant, asks, and sends it once (`spec/space-market.md` 9). `intent` is what makes two commands the same, `more` what
 * else is shown. Errors: NotGranterError, BadInputError for a reason that the chain does not take; those of `pay`.
 */
export async function sendGrant(
  context: Context,
  options: PayingOptions,
  payer: Payer,
  { kind, target, sizeByte, reason }: Grant,
  {
    intent,
    more = [],
    beforeSending = async () => undefined,
  }: {
    readonly intent: Proposal['intent']
    readonly more?: Proposal['rows']
    /** Once it is agreed to and before anything is signed; what it throws ends it. */
    readonly beforeSending?: () => Promise<void>
  },
): Promise<Outcome> {
  assertReason(reason)
  const { chain, address: admin } = payer
  await assertGranter(chain, admin)
  const { addresses } = chain
  const { address: to, did } = target
  const [facts, before] = await Promise.all([
    getMarketFacts(chain),
    getQuota(chain.client, { addresses, kind, buyer: to }),
  ])
  assertCountable(before.freeByte, sizeByte)
  const expire = expiryAfter(facts, before, { sizeByte, isOwn: false })
  const proposal = {
    intent,
    what: `grant ${formatBytes(sizeByte)} of ${kind}`,
    costAtto: 0n,
    rows: [
      ['you grant', `${formatBytes(sizeByte)} of ${kind}, for nothing`],
      ['as', admin],
      ['to', did ?? to],
      ['until', formatDay(expire, facts.block.timestamp)],
      ...more,
      ['reason', reason],
    ],
    question: 'Grant it?',
    json: { kind, sizeByte, to, did: did ?? null, reason, admin },
  } satisfies Proposal
  return await pay(context, options, payer, proposal, async ({ client }) => {
    const { signal } = context.runtime
    await beforeSending()
    return await grantQuota(client, { addresses, kind, to, sizeByte: BigInt(sizeByte), reason, signal })
  })
}

/** Who grants: `--key`, else on a local network the bank, which deployed it, else the account of the data directory. */
export async function openGranter(options: PayingOptions): Promise<Payer> {
  const dataDir = dataDirOf(options)
  const network = networkOf(options, findKept(dataDir))
  if (options.key === undefined && (await isLocalNetwork(network.rpcUrl))) {
    const { client, addresses } = await openChain(options)
    if (await isGranter(client, { addresses, account: localBankAddress() })) {
      return await payerOf({ secretKey: LOCAL_BANK_KEY, did: undefined, dataDir, isLocal: true, ...network })
    }
  }
  return await openPayer(options)
}

/** Errors: {@link NotGranterError}, which names those who may. */
async function assertGranter({ client, addresses }: MemoChain, account: Address): Promise<void> {
  if (await isGranter(client, { addresses, account })) return
  throw new NotGranterError(account, await listGranters(client, { addresses }))
}

/** Errors: BadInputError. */
export function assertReason(reason: string): void {
  const bytes = Buffer.byteLength(reason)
  if (bytes > 0 && bytes <= MAX_REASON_BYTES) return
  throw new BadInputError(`a reason has 1 to ${MAX_REASON_BYTES} bytes, not ${bytes}`, {
    fix: 'Say in a few words why, with --reason.',
  })
}
