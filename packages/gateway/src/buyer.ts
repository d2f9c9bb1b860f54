import type { Address } from '@memo/core'
import type { GatewayContext } from './context.ts'
import { ApiError } from './errors.ts'

/** The account that buys for a DID: the address of its master key (`spec/gateway.md` 12). Errors: {@link ApiError} 517. */
export async function buyerOf({ chain }: Pick<GatewayContext, 'chain'>, did: string): Promise<Address> {
  const record = await chain.findDid(did)
  if (!record) throw new ApiError(517, 'address is null')
  return record.masterAddress
}
