import { getQuota, type MemoChain, type QuotaInfo, type QuotaKind } from '@memo/chain'
import { isCount, MemoError } from '@memo/core'
import { BadGatewayAnswerError } from '@memo/sdk'
import { NotSetUpError } from '../errors.ts'
import { formatBytes, formatTable } from '../output.ts'
import { opensUnasked } from '../password.ts'
import { printable } from '../printable.ts'
import type { Context, Verb } from '../program.ts'
import { dataDirOf, findProfile } from '../settings.ts'
import { type AccountOptions, findTarget, listKnownAccounts, openChain, openPayer, type Target } from './account.ts'
import { callGateway } from './gateway.ts'
import { formatDay } from './units.ts'

export type BalanceOptions = AccountOptions & { readonly for?: string }

/** What a gateway counts of one kind. */
type Usage = {
  readonly usedBytes: bigint
  /** Cashed vouchers have paid for them, and they are not used. */
  readonly prepaidBytes: bigint
  readonly trialBytes: bigint
  readonly trialUsedBytes: bigint
}

/** What a gateway says: what it counts, and what of it ends (`spec/gateway.md` 22). */
type Answer = { readonly usages: readonly Usage[]; readonly warning: string | undefined }

/** What is there of one kind, and what the gateway says was used of it. */
type Line = { readonly kind: QuotaKind; readonly quota: QuotaInfo; readonly gateway: Usage | undefined }

const KINDS: readonly QuotaKind[] = ['space', 'traffic']

/** `memo balance`: space and traffic that are paid, granted and used, and until when. */
export const balance: Verb<BalanceOptions> = async (context, options) => {
  const { output } = context
  const chain = await openChain(options)
  const target = await targetOf(chain, options)
  const { client, addresses } = chain
  const [block, ...quotas] = await Promise.all([
    chain.getBlock(),
    ...KINDS.map((kind) => getQuota(client, { addresses, kind, buyer: target.address })),
  ])
  const answer = options.for === undefined ? await askGateway(context, options) : undefined
  const used = answer?.usages
  const lines = KINDS.map((kind, i): Line => ({ kind, quota: quotas[i] as QuotaInfo, gateway: used?.[i] }))
  const header = ['', 'paid', 'granted', ...(used ? ['used', 'trial left'] : []), 'left in all', 'until']
  const text = [
    target.did ?? target.address,
    formatTable([header, ...lines.map((line) => rowOf(line, block.timestamp))]),
    `on chain, block ${block.number}${used ? `; used says the gateway at ${findProfile(dataDirOf(options))?.gateway}` : ''}`,
    ...(answer?.warning === undefined ? [] : [`warning: ${printable(answer.warning)}`]),
  ]
  output.data(text.join('\n'), {
    event: 'balance',
    did: target.did ?? null,
    buyer: target.address,
    block: block.number,
    warning: answer?.warning ?? null,
    ...Object.fromEntries(lines.map((line) => [line.kind, jsonOf(line, block.timestamp)])),
  })
  return undefined
}

/** `--for`, else who this data directory belongs to. */
async function targetOf(chain: MemoChain, options: BalanceOptions): Promise<Target> {
  if (options.for !== undefined) return await findTarget(chain, options.for)
  const dataDir = dataDirOf(options)
  const [own] = listKnownAccounts(dataDir)
  const did = findProfile(dataDir)?.did
  if (own) return { address: own.address, did: own.name === 'you' ? did : undefined }
  throw new NotSetUpError(`there is no account in ${dataDir} yet`, 'Make one with: memo did create. Or give --for DID.')
}

/** What the gateway of this data directory says; undefined where there is none, or it does not answer. */
async function askGateway({ output, runtime }: Context, options: BalanceOptions): Promise<Answer | undefined> {
  const dataDir = dataDirOf(options)
  const endpoint = findProfile(dataDir)?.gateway
  if (endpoint === undefined) return undefined
  if (!opensUnasked(dataDir, options)) {
    output.progress('what was used is told to your key alone: give its --password-file')
    return undefined
  }
  const { did, chain, secretKey } = await openPayer(options)
  if (did === undefined) return undefined
  try {
    const { signal } = runtime
    const signer = { network: chain.network, secretKey }
    const usages: Usage[] = []
    let warning: string | undefined
    for (const kind of KINDS) {
      const said = await callGateway(endpoint, { method: 'GET', path: `/mefs/${kind}`, signer, signal })
      usages.push(usageFrom(said))
      if (typeof said.Warning === 'string') warning = said.Warning
    }
    return { usages, warning }
  } catch (error) {
    if (!(error instanceof MemoError) || runtime.wasInterrupted()) throw error
    output.progress(`what was used cannot be said now: ${error.message}`)
    return undefined
  }
}

/** Counts of bytes, which a number holds exactly. Errors: BadGatewayAnswerError. */
function usageFrom({ Used, Prepaid, TrialByte, TrialUsed }: Readonly<Record<string, unknown>>): Usage {
  if (!isCount(Used) || !isCount(Prepaid) || !isCount(TrialByte) || !isCount(TrialUsed)) {
    throw new BadGatewayAnswerError('a quota without what was used of it')
  }
  const [usedBytes, prepaidBytes, trialBytes, trialUsedBytes] = [Used, Prepaid, TrialByte, TrialUsed].map(BigInt)
  return { usedBytes, prepaidBytes, trialBytes, trialUsedBytes } as Usage
}

/** Bytes that can still be used: what is there and not used, what is paid for and not used, and the rest of the trial. */
function leftOf({ quota, gateway }: Line, now: number): bigint {
  const there = isOver(quota, now) ? 0n : quota.sizeByte + quota.freeByte
  if (!gateway) return there
  const unused = there > gateway.usedBytes ? there - gateway.usedBytes : 0n
  // What was paid for can be used as long as there is quota that has not expired.
  const prepaid = isOver(quota, now) || quota.expire === 0n ? 0n : gateway.prepaidBytes
  return unused + prepaid + trialLeftOf(gateway)
}

function trialLeftOf({ trialBytes, trialUsedBytes }: Usage): bigint {
  return trialBytes > trialUsedBytes ? trialBytes - trialUsedBytes : 0n
}

function rowOf(line: Line, now: number): string[] {
  const { kind, quota, gateway } = line
  const until = quota.expire === 0n ? '–' : formatDay(Number(quota.expire), now)
  const amounts = [
    quota.sizeByte,
    quota.freeByte,
    ...(gateway ? [gateway.usedBytes, trialLeftOf(gateway)] : []),
    leftOf(line, now),
  ]
  return [kind, ...amounts.map((bytes) => formatBytes(Number(bytes))), `${until}${isOver(quota, now) ? ', over' : ''}`]
}

function isOver({ expire }: QuotaInfo, now: number): boolean {
  return expire !== 0n && Number(expire) < now
}

function jsonOf(line: Line, now: number) {
  const { nonce, balanceAtto, sizeByte, freeByte, expire } = line.quota
  const { gateway } = line
  return {
    paidBytes: sizeByte,
    grantedBytes: freeByte,
    usedBytes: gateway?.usedBytes ?? null,
    prepaidBytes: gateway?.prepaidBytes ?? null,
    trialBytes: gateway?.trialBytes ?? null,
    trialUsedBytes: gateway?.trialUsedBytes ?? null,
    leftBytes: leftOf(line, now),
    balanceAtto,
    nonce,
    expire: Number(expire),
    isOver: isOver(line.quota, now),
  }
}
