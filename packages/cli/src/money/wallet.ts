import {
  atBlock,
  findAccount,
  getEscrow,
  getGasBalance,
  getGroup,
  getKeeperPool,
  getMemoBalance,
  getPledge,
  getQuotaWithdrawable,
  listOrders,
  listReadAllowances,
  type MemoChain,
} from '@memo/chain'
import { NotSetUpError } from '../errors.ts'
import { formatTable } from '../output.ts'
import type { Verb } from '../program.ts'
import { dataDirOf } from '../settings.ts'
import { type AccountOptions, type KnownAccount, listKnownAccounts, openChain, openPayer } from './account.ts'
import { findSentPayment } from './sent-payments.ts'
import { lockedInReads } from './take-reads.ts'
import { formatCoin, formatMemo } from './units.ts'

/** What an account has, wherever it lies. */
type Holdings = KnownAccount & {
  readonly gasWei: bigint
  readonly memoAtto: bigint
  readonly escrowFreeAtto: bigint
  /** What of it was earned. */
  readonly incomeAtto: bigint
  /** Who receives what it withdraws. */
  readonly payee: string
  readonly lockedInOrdersAtto: bigint
  readonly lockedForReadsAtto: bigint
  readonly pledgedAtto: bigint
  readonly requiredPledgeAtto: bigint
  /** What orders have paid for all keepers of its group and nobody has shared yet; 0n where it is no keeper. */
  readonly keeperPoolAtto: bigint
  /** What of it is the account’s if it is shared now. */
  readonly keeperShareAtto: bigint
  /** From the gateway’s market: what it owes the account. */
  readonly withdrawableSpaceAtto: bigint
  readonly withdrawableTrafficAtto: bigint
}

/** `memo wallet`: what the accounts of this data directory have. */
export const wallet: Verb<AccountOptions> = async ({ output }, options) => {
  const dataDir = dataDirOf(options)
  const chain = await openChain(options)
  const accounts = await accountsOf(options, dataDir)
  const { number } = await chain.getBlock()
  // All as of that block: sums are exact while orders settle.
  const then = { ...chain, client: atBlock(chain.client, number) }
  const all = await Promise.all(accounts.map((account) => readHoldings(then, account)))
  const [first, ...others] = all as [Holdings, ...Holdings[]]
  for (const holdings of all) output.event({ event: 'account', ...holdings, block: number })
  const unfinished = findSentPayment(dataDir, { address: first.address, network: chain.network })
  const text = [
    describe(first),
    ...(others.length > 0 ? ['', tableOf(others)] : []),
    ...(unfinished
      ? ['', `\`memo ${unfinished.intent.verb}\` was interrupted; the same command looks for its end`]
      : []),
    '',
    `on chain, block ${number}`,
  ]
  output.data(text.join('\n'), { event: 'wallet', block: number, accounts: all.length })
  return undefined
}

async function accountsOf(options: AccountOptions, dataDir: string): Promise<KnownAccount[]> {
  if (options.key !== undefined) return [{ name: 'key', address: (await openPayer(options)).address }]
  const accounts = listKnownAccounts(dataDir)
  if (accounts.length > 0) return accounts
  throw new NotSetUpError(`there is no account in ${dataDir} yet`, 'Make one with: memo did create')
}

async function readHoldings(chain: MemoChain, account: KnownAccount): Promise<Holdings> {
  const { client, addresses } = chain
  const { address } = account
  const [gasWei, memoAtto, escrow, pledge, space, traffic, orders, allowances, fees] = await Promise.all([
    getGasBalance(client, { address }),
    getMemoBalance(client, { addresses, address }),
    getEscrow(client, { addresses, account: address }),
    getPledge(client, { addresses, address }),
    getQuotaWithdrawable(client, { addresses, kind: 'space', account: address }),
    getQuotaWithdrawable(client, { addresses, kind: 'traffic', account: address }),
    listOrders(client, { addresses, user: address }),
    listReadAllowances(client, { addresses, payer: address }),
    readKeeperFees(chain, address),
  ])
  return {
    ...account,
    gasWei,
    memoAtto,
    escrowFreeAtto: escrow.freeAtto,
    incomeAtto: escrow.incomeAtto,
    payee: escrow.payee,
    lockedInOrdersAtto: orders.reduce((sum, { lockedAtto }) => sum + lockedAtto, 0n),
    lockedForReadsAtto: allowances.reduce((sum, allowance) => sum + lockedInReads(allowance), 0n),
    pledgedAtto: pledge.pledgedAtto,
    requiredPledgeAtto: pledge.requiredAtto,
    ...fees,
    withdrawableSpaceAtto: space,
    withdrawableTrafficAtto: traffic,
  }
}

async function readKeeperFees(
  { client, addresses }: MemoChain,
  address: KnownAccount['address'],
): Promise<Pick<Holdings, 'keeperPoolAtto' | 'keeperShareAtto'>> {
  const account = await findAccount(client, { addresses, address })
  if (account?.role !== 'keeper' || account.group === 0) return { keeperPoolAtto: 0n, keeperShareAtto: 0n }
  const [keeperPoolAtto, { keepers }] = await Promise.all([
    getKeeperPool(client, { addresses, group: account.group }),
    getGroup(client, { addresses, id: account.group }),
  ])
  const isPaid = keepers.includes(address)
  return { keeperPoolAtto, keeperShareAtto: isPaid ? keeperPoolAtto / BigInt(keepers.length) : 0n }
}

function describe(holdings: Holdings): string {
  const { withdrawableSpaceAtto, withdrawableTrafficAtto } = holdings
  const earned = holdings.incomeAtto > 0n ? `, of which earned ${formatMemo(holdings.incomeAtto)}` : ''
  const pledge = holdings.pledgedAtto + holdings.requiredPledgeAtto
  const rows = [
    ['MEMO', short(holdings.memoAtto)],
    ['gas', formatCoin(holdings.gasWei)],
    ['in escrow', `${formatMemo(holdings.escrowFreeAtto)} free${earned}`],
    ['', `${formatMemo(holdings.lockedInOrdersAtto)} in orders`],
    ['', `${formatMemo(holdings.lockedForReadsAtto)} for reads`],
    ...(holdings.payee === holdings.address ? [] : [['payee', holdings.payee]]),
    ...(pledge > 0n
      ? [['pledge', `${formatMemo(holdings.pledgedAtto)} of ${formatMemo(holdings.requiredPledgeAtto)} needed`]]
      : []),
    ...(holdings.keeperPoolAtto > 0n
      ? [
          [
            'fees',
            `${formatMemo(holdings.keeperPoolAtto)} waits to be shared by keepers, ${formatMemo(holdings.keeperShareAtto)} of it for this one`,
          ],
        ]
      : []),
    ...(withdrawableSpaceAtto + withdrawableTrafficAtto > 0n
      ? [
          [
            'to withdraw',
            `${formatMemo(withdrawableSpaceAtto)} for space, ${formatMemo(withdrawableTrafficAtto)} for traffic: memo wallet take`,
          ],
        ]
      : []),
  ]
  return `${holdings.name}  ${holdings.address}\n${formatTable(rows.map(([label = '', text = '']) => [`  ${label}`, text]))}`
}

function tableOf(all: readonly Holdings[]): string {
  const rows = all.map((holdings) => {
    const { name, address, memoAtto, gasWei, escrowFreeAtto, pledgedAtto } = holdings
    return [name, address, ...[memoAtto, escrowFreeAtto, pledgedAtto].map(short), formatCoin(gasWei)]
  })
  return formatTable([['', '', 'MEMO', 'escrow', 'pledge', 'gas'], ...rows])
}

function short(atto: bigint): string {
  return formatMemo(atto).replace(/ MEMO$/, '')
}
