import { pledgesAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { callView } from './call.ts'

export type PledgeInfo = {
  readonly pledgedAtto: bigint
  readonly requiredAtto: bigint
  /** What is announced to be taken back; 0n where nothing is. */
  readonly announcedAtto: bigint
  /** Seconds since 1970 and block at which it was announced. */
  readonly announcedAt: number
  readonly announcedBlock: number
}

/** What an account has pledged and what it must keep pledged (`spec/roles.md` 6). */
export async function getPledge(
  client: ChainClient,
  { addresses, address }: { readonly addresses: Addresses; readonly address: Address },
): Promise<PledgeInfo> {
  const contract = { address: addresses.pledges, abi: pledgesAbi, args: [address] } as const
  const [pledge, requiredAtto] = await Promise.all([
    callView(client, { ...contract, functionName: 'getPledge' }),
    callView(client, { ...contract, functionName: 'requirementOf' }),
  ])
  return {
    pledgedAtto: pledge.amount,
    requiredAtto,
    announcedAtto: pledge.announced,
    announcedAt: Number(pledge.announcedAt),
    announcedBlock: Number(pledge.announcedBlock),
  }
}

/** What a provider of `capacityBytes` must pledge, in attomemo. */
export async function getRequirementFor(
  client: ChainClient,
  { addresses, capacityBytes }: { readonly addresses: Addresses; readonly capacityBytes: number },
): Promise<bigint> {
  return callView(client, {
    address: addresses.pledges,
    abi: pledgesAbi,
    functionName: 'requirementFor',
    args: [BigInt(capacityBytes)],
  })
}
