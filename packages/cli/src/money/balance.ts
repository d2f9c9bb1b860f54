import { getQuota, type MemoChain, type QuotaInfo, type QuotaKind } from '@memo/chain'
import { NotSetUpError } from '../errors.ts'
import { formatBytes, formatTable } from '../output.ts'
import type { Verb } from '../program.ts'
import { dataDirOf, findProfile } from '../settings.ts'
import { type AccountOptions, findTarget, listKnownAccounts, openChain, type Target } from './account.ts'
import { formatDay } from './units.ts'

export type BalanceOptions = AccountOptions & { readonly for?: string }

const KINDS: readonly QuotaKind[] = ['space', 'traffic']

/** `memo balance`: space and traffic that are paid, granted and used, and until when. */
export const balance: Verb<BalanceOptions> = async ({ output }, options) => {
  const chain = await openChain(options)
  const target = await targetOf(chain, options)
  const { client, addresses } = chain
  const [block, ...quotas] = await Promise.all([
    chain.getBlock(),
    ...KINDS.map((kind) => getQuota(client, { addresses, kind, buyer: target.address })),
  ])
  const rows = KINDS.map((kind, i) => rowOf(kind, quotas[i] as QuotaInfo, block.timestamp))
  const text = [
    target.did ?? target.address,
    formatTable([['', 'paid', 'granted', 'left in all', 'until'], ...rows]),
    `on chain, block ${block.number}`,
  ]
  const kinds = KINDS.map((kind, i) => [kind, jsonOf(quotas[i] as QuotaInfo, block.timestamp)])
  output.data(text.join('\n'), {
    event: 'balance',
    did: target.did ?? null,
    buyer: target.address,
    block: block.number,
    ...Object.fromEntries(kinds),
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

function rowOf(kind: QuotaKind, { sizeByte, freeByte, expire }: QuotaInfo, now: number): string[] {
  const isOver = expire !== 0n && Number(expire) <= now
  const [paid, granted, all] = [sizeByte, freeByte, sizeByte + freeByte].map((bytes) => formatBytes(Number(bytes)))
  const until = expire === 0n ? '–' : `${formatDay(Number(expire), now)}${isOver ? ', over' : ''}`
  return [kind, paid as string, granted as string, isOver ? formatBytes(0) : (all as string), until]
}

function jsonOf({ nonce, balanceAtto, sizeByte, freeByte, expire }: QuotaInfo, now: number) {
  const isOver = expire !== 0n && Number(expire) <= now
  return { paidBytes: sizeByte, grantedBytes: freeByte, balanceAtto, nonce, expire: Number(expire), isOver }
}
