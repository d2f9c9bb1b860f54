import {
  accountDidAbi,
  accountDidBytecode,
  accountDidDeployedBytecode,
  accountDidImmutables,
  CONTRACTS_VERSION,
  didProxyAbi,
  didProxyBytecode,
  didProxyDeployedBytecode,
  didProxyImmutables,
  governanceAbi,
  governanceBytecode,
  governanceDeployedBytecode,
  governanceImmutables,
  memoTokenAbi,
  memoTokenBytecode,
  memoTokenDeployedBytecode,
  memoTokenImmutables,
  pledgesAbi,
  pledgesBytecode,
  pledgesDeployedBytecode,
  pledgesImmutables,
  registryAbi,
  registryBytecode,
  registryDeployedBytecode,
  registryImmutables,
  rolesAbi,
  rolesBytecode,
  rolesDeployedBytecode,
  rolesImmutables,
} from '@memo/contracts'
import { type Address, encodeDeployData, getContractAddress, type Hex, zeroAddress } from 'viem'
import { type Addresses, registryEntries, registryName } from '../addresses.ts'
import type { NetworkParams } from './params.ts'

/** The order of deployment; a contract's address follows from its place. */
const order = ['governance', 'memoToken', 'roles', 'pledges', 'accountDid', 'didProxy', 'registry'] as const

type Range = { readonly start: number; readonly length: number }

/** One contract to create, at one nonce of the deployer. */
export type DeployStep = {
  readonly key: keyof Addresses
  readonly nonce: number
  readonly address: Address
  /** Creation code with its arguments. */
  readonly data: Hex
  /** The code that must stand there afterwards, but for `immutables`. */
  readonly deployedBytecode: Hex
  readonly immutables: readonly Range[]
}

export type DeployPlan = {
  readonly deployer: Address
  readonly firstNonce: number
  readonly steps: readonly DeployStep[]
  readonly addresses: Addresses
}

/**
 * The whole deployment as a list of creations, from arguments alone: the same deployer, nonce and parameters give the
 * same addresses. Contracts name each other by addresses that are known before they exist, so nothing has to be
 * set afterwards, and the registry, which comes last, is complete from its first block.
 */
export function planDeploy(options: {
  readonly deployer: Address
  readonly firstNonce: number
  readonly params: NetworkParams
}): DeployPlan {
  const { deployer, firstNonce, params } = options
  const pairs = order.map((key, place) => {
    const address = getContractAddress({ from: deployer, nonce: BigInt(firstNonce + place) })
    return [key, address.toLowerCase() as Address] as const
  })
  const addresses = Object.fromEntries(pairs) as Addresses
  const creations = createAll(deployer, addresses, params)
  const steps = order.map((key, place) => ({
    key,
    nonce: firstNonce + place,
    address: addresses[key],
    ...creations[key],
  }))
  return { deployer, firstNonce, steps, addresses }
}

type Creation = Pick<DeployStep, 'data' | 'deployedBytecode' | 'immutables'>

function createAll(deployer: Address, at: Addresses, params: NetworkParams): Record<keyof Addresses, Creation> {
  const { supplyAtto, level, exitLock, pledge, slasher = zeroAddress } = params
  const entries = registryEntries.map(({ key, name, instanceId }) => ({
    name: registryName(name),
    instanceId,
    target: at[key],
  }))
  return {
    governance: {
      data: encodeDeployData({ abi: governanceAbi, bytecode: governanceBytecode, args: [deployer] }),
      deployedBytecode: governanceDeployedBytecode,
      immutables: governanceImmutables,
    },
    memoToken: {
      data: encodeDeployData({ abi: memoTokenAbi, bytecode: memoTokenBytecode, args: [deployer, supplyAtto] }),
      deployedBytecode: memoTokenDeployedBytecode,
      immutables: memoTokenImmutables,
    },
    roles: {
      data: encodeDeployData({
        abi: rolesAbi,
        bytecode: rolesBytecode,
        args: [at.governance, at.pledges, level, exitLock],
      }),
      deployedBytecode: rolesDeployedBytecode,
      immutables: rolesImmutables,
    },
    pledges: {
      data: encodeDeployData({
        abi: pledgesAbi,
        bytecode: pledgesBytecode,
        args: [at.memoToken, at.roles, slasher, pledge],
      }),
      deployedBytecode: pledgesDeployedBytecode,
      immutables: pledgesImmutables,
    },
    accountDid: {
      data: encodeDeployData({ abi: accountDidAbi, bytecode: accountDidBytecode, args: [at.didProxy] }),
      deployedBytecode: accountDidDeployedBytecode,
      immutables: accountDidImmutables,
    },
    didProxy: {
      data: encodeDeployData({ abi: didProxyAbi, bytecode: didProxyBytecode, args: [at.accountDid, at.registry] }),
      deployedBytecode: didProxyDeployedBytecode,
      immutables: didProxyImmutables,
    },
    registry: {
      data: encodeDeployData({
        abi: registryAbi,
        bytecode: registryBytecode,
        args: [at.governance, CONTRACTS_VERSION, entries],
      }),
      deployedBytecode: registryDeployedBytecode,
      immutables: registryImmutables,
    },
  }
}
