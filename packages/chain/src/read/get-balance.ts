import { memoTokenAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { asMemoError } from '../client/revert.ts'
import { callView } from './call.ts'

/** How much MEMO an address holds, in attomemo. */
export async function getMemoBalance(
  client: ChainClient,
  { addresses, address }: { readonly addresses: Addresses; readonly address: Address },
): Promise<bigint> {
  return callView(client, {
    address: addresses.memoToken,
    abi: memoTokenAbi,
    functionName: 'balanceOf',
    args: [address],
  })
}

/** How much of the chain's own coin an address holds, which pays for gas, in wei. */
export async function getGasBalance(client: ChainClient, { address }: { readonly address: Address }): Promise<bigint> {
  try {
    return await client.horizon.read((block) =>
      client.rpc.getBalance({ address, ...(block && { blockNumber: block }) }),
    )
  } catch (error) {
    throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: 'give a balance' })
  }
}
