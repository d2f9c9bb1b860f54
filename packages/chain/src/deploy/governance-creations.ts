import {
  governanceAbi,
  governanceBytecode,
  governanceDeployedBytecode,
  governanceImmutables,
  timelockAbi,
  timelockBytecode,
  timelockDeployedBytecode,
  timelockImmutables,
} from '@memo/contracts'
import { type Address, encodeDeployData, toFunctionSelector } from 'viem'
import type { Addresses } from '../addresses.ts'
import type { Some } from './creations.ts'
import type { NetworkParams } from './params.ts'

/** Roles of the AccessManager beside the admin, which is 0. `spec/governance.md` 3 */
export const governanceRoles = { admin: 0n, pauser: 1n, granter: 2n } as const

/** Governance knows from its first block who may call what; nothing is set afterwards. */
export function createGovernance(
  deployer: Address,
  at: Addresses,
  params: NetworkParams['governance'],
): Some<'governance' | 'timelock'> {
  const { timelockSeconds, governor = deployer, pauser = governor, granter = governor } = params
  const { admin, pauser: pauserRole, granter: granterRole } = governanceRoles
  const assignments = [
    { target: at.orders, selector: toFunctionSelector('pause()'), role: pauserRole },
    { target: at.spaceMarket, selector: toFunctionSelector('grant(uint8,address,uint64,string)'), role: granterRole },
    {
      target: at.spaceMarket,
      selector: toFunctionSelector('grantToDid(uint8,string,uint64,string)'),
      role: granterRole,
    },
  ]
  const memberships = [
    { role: pauserRole, account: pauser },
    { role: granterRole, account: granter },
    // Without a delay the timelock would only be in the way of who governs a test network.
    ...(timelockSeconds === 0n ? [{ role: admin, account: governor }] : []),
  ]
  return {
    governance: {
      data: encodeDeployData({
        abi: governanceAbi,
        bytecode: governanceBytecode,
        args: [at.timelock, assignments, memberships],
      }),
      deployedBytecode: governanceDeployedBytecode,
      immutables: governanceImmutables,
    },
    timelock: {
      data: encodeDeployData({
        abi: timelockAbi,
        bytecode: timelockBytecode,
        args: [timelockSeconds, [governor], [governor]],
      }),
      deployedBytecode: timelockDeployedBytecode,
      immutables: timelockImmutables,
    },
  }
}
