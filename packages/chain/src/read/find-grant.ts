import { spaceMarketAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import { parseEventLogs, TransactionReceiptNotFoundError } from 'viem'
import { type Addresses, canonicalAddress } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { asMemoError } from '../client/revert.ts'
import { type EventOf, readEvents } from '../events/read-events.ts'
import type { QuotaKind } from './get-quota.ts'

/** Free bytes that a granter gave. `spec/space-market.md` 9 */
export type GrantInfo = {
  readonly kind: QuotaKind
  readonly to: Address
  readonly sizeByte: bigint
  readonly reason: string
  readonly granter: Address
}

type Common = { readonly addresses: Addresses }

/** What a transaction granted, in order; undefined while no block has it. */
export async function findGrants(
  client: ChainClient,
  { addresses, hash }: Common & { readonly hash: `0x${string}` },
): Promise<readonly GrantInfo[] | undefined> {
  try {
    const { logs } = await client.rpc.getTransactionReceipt({ hash })
    const own = logs.filter((log) => log.address.toLowerCase() === addresses.spaceMarket)
    return parseEventLogs({ abi: spaceMarketAbi, eventName: 'FreeGranted', logs: own }).map(grantFromEvent)
  } catch (error) {
    if (error instanceof TransactionReceiptNotFoundError) return undefined
    throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: 'show a receipt' })
  }
}

/** What an account was granted, by one granter or by all, oldest first, with the transactions. */
export async function listGrants(
  client: ChainClient,
  { addresses, to, granter }: Common & { readonly to: Address; readonly granter?: Address | undefined },
): Promise<(GrantInfo & { readonly hash: `0x${string}` })[]> {
  const contract = { address: addresses.spaceMarket, abi: spaceMarketAbi, names: ['FreeGranted'] } as const
  const grants: (GrantInfo & { readonly hash: `0x${string}` })[] = []
  for await (const event of readEvents(client, { ...contract, args: { to, admin: granter ?? null } })) {
    grants.push({ ...grantFromEvent(event), hash: event.transactionHash })
  }
  return grants
}

function grantFromEvent({ args }: EventOf<typeof spaceMarketAbi, 'FreeGranted'>): GrantInfo {
  return {
    kind: args.quota === 0 ? 'space' : 'traffic',
    to: canonicalAddress(args.to),
    sizeByte: args.sizeByte,
    reason: args.reason,
    granter: canonicalAddress(args.admin),
  }
}
