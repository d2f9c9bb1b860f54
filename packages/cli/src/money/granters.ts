import { governanceRoles, type MemoChain } from '@memo/chain'
import { governanceAbi } from '@memo/contracts'
import { type Address, findAddress } from '@memo/core'
import { NotGranterError } from '../errors.ts'
import { readEvents } from './events.ts'
import { asking } from './rpc.ts'

/** Whether governance lets an account grant space and traffic (`spec/governance.md` 3). */
export async function mayGrant(chain: MemoChain, address: Address): Promise<boolean> {
  return await hasRole(chain, governanceRoles.granter, address)
}

/** Errors: {@link NotGranterError}, which names those who may. */
export async function assertGranter(chain: MemoChain, address: Address): Promise<void> {
  if (!(await mayGrant(chain, address))) throw new NotGranterError(address, await listGranters(chain))
}

/** Who holds the granter's role now. */
export async function listGranters(chain: MemoChain): Promise<Address[]> {
  const { client, addresses } = chain
  const args = { roleId: governanceRoles.granter }
  const contract = { address: addresses.governance, abi: governanceAbi, eventName: 'RoleGranted', args } as const
  const granted = await readEvents(chain, async (fromBlock, toBlock) => {
    return await client.rpc.getContractEvents({ ...contract, fromBlock, toBlock, strict: true })
  })
  const candidates = [...new Set(granted.map(({ args: { account } }) => findAddress(account) as Address))]
  const holds = await Promise.all(candidates.map((address) => mayGrant(chain, address)))
  return candidates.filter((_, i) => holds[i])
}

async function hasRole({ client, addresses }: MemoChain, role: bigint, address: Address): Promise<boolean> {
  const contract = { address: addresses.governance, abi: governanceAbi, functionName: 'hasRole' } as const
  const [isMember] = await asking(client, 'hasRole', async () => {
    return await client.rpc.readContract({ ...contract, args: [role, address] })
  })
  return isMember
}
