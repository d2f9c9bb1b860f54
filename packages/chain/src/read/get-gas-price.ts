import type { ChainClient } from '../client/chain-client.ts'
import { asMemoError } from '../client/revert.ts'

/** What a unit of gas costs now, in wei. */
export async function getGasPrice(client: ChainClient): Promise<bigint> {
  try {
    return await client.rpc.getGasPrice()
  } catch (error) {
    throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: 'give its price of gas' })
  }
}
