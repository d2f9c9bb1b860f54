import type { Account, Address, Chain, DidRecord } from '@memo/core'
import type { Addresses } from './addresses.ts'
import type { ChainClient } from './client/chain-client.ts'
import { findAccount } from './read/find-account.ts'
import { getBlock } from './read/get-block.ts'
import { findDid } from './read/get-did.ts'
import { findOrder, getEpochs, getLiableBytes, getReadAllowance } from './read/get-order.ts'
import { listKeepers, listProviders } from './read/list-accounts.ts'

/** A network that was found and checked: what the engine reads, and what actions need. */
export type MemoChain = Chain & {
  readonly client: ChainClient
  readonly addresses: Addresses
}

/** Binds the reads that `core` asks for to one network. */
export function createMemoChain(options: {
  readonly client: ChainClient
  readonly addresses: Addresses
  readonly chainId: number
}): MemoChain {
  const { client, addresses, chainId } = options
  return {
    client,
    addresses,
    network: { chainId, registry: addresses.registry },
    findAccount: (address: Address): Promise<Account | undefined> => findAccount(client, { addresses, address }),
    listProviders: () => listProviders(client, addresses),
    listKeepers: () => listKeepers(client, addresses),
    findDid: (did: string): Promise<DidRecord | undefined> => findDid(client, { addresses, did }),
    getBlock: () => getBlock(client),
    money: { chainId, orders: addresses.orders, reads: addresses.reads },
    findOrder: (orderId) => findOrder(client, { addresses, orderId }),
    getEpochs: () => getEpochs(client, { addresses }),
    getLiableBytes: (provider) => getLiableBytes(client, { addresses, provider }),
    getReadAllowance: (orderId, payer) => getReadAllowance(client, { addresses, orderId, payer }),
  }
}
