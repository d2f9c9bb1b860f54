import { ordersAbi, readsAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import { type AbiEvent, type Log, numberToHex, parseEventLogs } from 'viem'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { asMemoError } from '../client/revert.ts'
import { LOG_RANGE_BLOCKS, readLogs } from './read-logs.ts'

/** A block up to which events were read. */
export type IncomeMark = { readonly block: number; readonly hash: string }

/** What happened to orders and reads; openings are those of the provider that was asked for, the rest is of anybody. */
export type IncomeEvent =
  | { readonly type: 'order-opened'; readonly orderId: bigint }
  | { readonly type: 'order-settled'; readonly orderId: bigint; readonly incomeAtto: bigint }
  | { readonly type: 'reads-paid'; readonly orderId: bigint; readonly amountAtto: bigint }
  | { readonly type: 'reads-closing'; readonly orderId: bigint; readonly payer: Address }

/** A stretch of blocks after the last mark. */
export type IncomeStretch = {
  readonly events: readonly IncomeEvent[]
  readonly mark: IncomeMark
  /** Whether it reaches the newest block. */
  readonly isLast: boolean
}

const abi = [...ordersAbi, ...readsAbi]
const NAMES: readonly string[] = ['OrderOpened', 'OrderSettled', 'ReadsPaid', 'ReadsClosing']
const events = abi.filter((item) => item.type === 'event' && NAMES.includes(item.name)) as AbiEvent[]

/** Whether a block that was read still stands: the chain may have rewound. */
export async function isIncomeMarkStanding(client: ChainClient, mark: IncomeMark): Promise<boolean> {
  return (await findHash(client, mark.block)) === mark.hash
}

/**
 * Events that make up what `provider` earns, of the blocks after `after`, as many as one request covers; from the first
 * block where there is no mark. `spec/orders.md` 11 and 14
 */
export async function readProviderIncome(
  client: ChainClient,
  {
    addresses,
    provider,
    after,
  }: { readonly addresses: Addresses; readonly provider: Address; readonly after: IncomeMark | undefined },
): Promise<IncomeStretch> {
  try {
    const head = Number(await client.rpc.getBlockNumber())
    const from = after ? after.block + 1 : 0
    const to = Math.min(head, from + Number(LOG_RANGE_BLOCKS) - 1)
    if (after && to < from) return { events: [], mark: after, isLast: true }
    // The hash comes first: where the chain rewinds meanwhile, it no longer stands the next time.
    const mark = { block: to, hash: (await findHash(client, to)) ?? '' }
    const found: IncomeEvent[] = []
    const address = [addresses.orders, addresses.reads]
    for await (const logs of readLogs(client, { address, events, fromBlock: BigInt(from), toBlock: BigInt(to) })) {
      found.push(...incomeFromLogs(logs, provider))
    }
    return { events: found, mark, isLast: to === head }
  } catch (error) {
    throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: 'give what a provider earned' })
  }
}

function incomeFromLogs(logs: Log[], provider: Address): IncomeEvent[] {
  return parseEventLogs({ abi, logs }).flatMap((log): IncomeEvent[] => {
    if (log.eventName === 'OrderOpened') {
      const isOwn = log.args.provider.toLowerCase() === provider
      return isOwn ? [{ type: 'order-opened', orderId: log.args.orderId }] : []
    }
    const { orderId } = log.args as { orderId: bigint }
    if (log.eventName === 'OrderSettled') return [{ type: 'order-settled', orderId, incomeAtto: log.args.income }]
    if (log.eventName === 'ReadsPaid') return [{ type: 'reads-paid', orderId, amountAtto: log.args.amount }]
    if (log.eventName !== 'ReadsClosing') return []
    return [{ type: 'reads-closing', orderId, payer: log.args.payer.toLowerCase() as Address }]
  })
}

async function findHash(client: ChainClient, block: number): Promise<string | undefined> {
  const params = [numberToHex(block), false] as const
  const found = await client.rpc.request({ method: 'eth_getBlockByNumber', params: [...params] })
  return found?.hash ?? undefined
}
