import type { Address } from '@memo/core'
import type { ChainClient } from '../client/chain-client.ts'
import { asMemoError } from '../client/revert.ts'

/** Whether an account has code: a contract, or a key that delegates to one. */
export async function hasCode(client: ChainClient, { address }: { readonly address: Address }): Promise<boolean> {
  try {
    const code = await client.rpc.getCode({ address })
    return code !== undefined && code !== '0x'
  } catch (error) {
    throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: 'give the code of an account' })
  }
}
