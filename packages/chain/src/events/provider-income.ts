import { ordersAbi, readsAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import { numberToHex } from 'viem'
import { type Addresses, canonicalAddress } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { asMemoError } from '../client/revert.ts'
import { type EventOf, readEvents } from './read-events.ts'
import { LOG_RANGE_BLOCKS } from './read-logs.ts'

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

const abi = [...ordersAbi, ...readsAbi] as const
const names = ['OrderOpened', 'OrderSettled', 'ReadsPaid', 'ReadsClosing'] as const

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
    const query = { address, abi, names, fromBlock: BigInt(from), toBlock: BigInt(to) }
    for await (const event of readEvents(client, query)) {
      const income = findIncome(event, provider)
      if (income) found.push(income)
    }
    return { events: found, mark, isLast: to === head }
  } catch (error) {
    throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: 'give what a provider earned' })
  }
}

function findIncome(event: EventOf<typeof abi, (typeof names)[number]>, provider: Address): IncomeEvent | undefined {
  const { orderId } = event.args
  switch (event.eventName) {
    case 'OrderOpened':
      return event.args.provider.toLowerCase() === provider ? { type: 'order-opened', orderId } : undefined
    case 'OrderSettled':
      return { type: 'order-settled', orderId, incomeAtto: event.args.income }
    case 'ReadsPaid':
      return { type: 'reads-paid', orderId, amountAtto: event.args.amount }
    case 'ReadsClosing':
      return { type: 'reads-closing', orderId, payer: canonicalAddress(event.args.payer) }
  }
}

async function findHash(client: ChainClient, block: number): Promise<string | undefined> {
  const params = [numberToHex(block), false] as const
  const found = await client.rpc.request({ method: 'eth_getBlockByNumber', params: [...params] })
  return found?.hash ?? undefined
}
