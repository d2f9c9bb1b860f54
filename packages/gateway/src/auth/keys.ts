import type { Address, Chain } from '@memo/core'
import type { MemoDid } from '@memo/did'

/** Whether an account may act for a DID: one of the keys that authenticate it, while it is active (`spec/login.md` 1). */
export async function isKeyOf(chain: Chain, did: MemoDid, account: Address): Promise<boolean> {
  const record = await chain.findDid(did)
  return record !== undefined && !record.deactivated && record.authenticationKeys.some((key) => key.address === account)
}
