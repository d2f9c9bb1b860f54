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
  escrowAbi,
  escrowBytecode,
  escrowDeployedBytecode,
  escrowImmutables,
  memoTokenAbi,
  memoTokenBytecode,
  memoTokenDeployedBytecode,
  memoTokenImmutables,
  ordersAbi,
  ordersBytecode,
  ordersDeployedBytecode,
  ordersImmutables,
  pledgesAbi,
  pledgesBytecode,
  pledgesDeployedBytecode,
  pledgesImmutables,
  readsAbi,
  readsBytecode,
  readsDeployedBytecode,
  readsImmutables,
  registryAbi,
  registryBytecode,
  registryDeployedBytecode,
  registryImmutables,
  rolesAbi,
  rolesBytecode,
  rolesDeployedBytecode,
  rolesImmutables,
} from '@memo/contracts'
import { type Address, encodeDeployData, type Hex, zeroAddress } from 'viem'
import { type Addresses, registryEntries, registryName } from '../addresses.ts'
import { createGovernance } from './governance-creations.ts'
import { createMarket } from './market-creations.ts'
import type { NetworkParams } from './params.ts'

type Range = { readonly start: number; readonly length: number }

/** What creates one contract, and the code that must stand there afterwards, but for `immutables`. */
export type Creation = {
  /** Creation code with its arguments. */
  readonly data: Hex
  readonly deployedBytecode: Hex
  readonly immutables: readonly Range[]
}

/** The creation of every contract of a network whose addresses are `at`. */
export function createAll(deployer: Address, at: Addresses, params: NetworkParams): Record<keyof Addresses, Creation> {
  return {
    ...createGovernance(deployer, at, params.governance),
    ...createRoles(deployer, at, params),
    ...createOrders(deployer, at, params),
    ...createDids(at),
    ...createMarket(deployer, at, params),
  }
}

/** The creations of some contracts. */
export type Some<Key extends keyof Addresses> = Record<Key, Creation>

function createRoles(
  deployer: Address,
  at: Addresses,
  { supplyAtto, level, exitLock, pledge, slasher = zeroAddress }: NetworkParams,
): Some<'memoToken' | 'roles' | 'pledges' | 'registry'> {
  const entries = registryEntries.map(({ key, name, instanceId }) => ({
    name: registryName(name),
    instanceId,
    target: at[key],
  }))
  return {
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
        args: [at.memoToken, at.roles, at.orders, at.escrow, slasher, pledge],
      }),
      deployedBytecode: pledgesDeployedBytecode,
      immutables: pledgesImmutables,
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

function createOrders(
  deployer: Address,
  at: Addresses,
  { orders, foundation = deployer, judge = zeroAddress }: NetworkParams,
): Some<'escrow' | 'orders' | 'reads'> {
  return {
    escrow: {
      data: encodeDeployData({
        abi: escrowAbi,
        bytecode: escrowBytecode,
        args: [at.memoToken, at.orders, at.reads],
      }),
      deployedBytecode: escrowDeployedBytecode,
      immutables: escrowImmutables,
    },
    orders: {
      data: encodeDeployData({
        abi: ordersAbi,
        bytecode: ordersBytecode,
        args: [at.governance, at.escrow, at.roles, foundation, judge, orders],
      }),
      deployedBytecode: ordersDeployedBytecode,
      immutables: ordersImmutables,
    },
    reads: {
      data: encodeDeployData({
        abi: readsAbi,
        bytecode: readsBytecode,
        args: [at.escrow, at.orders, at.roles, orders.readClosing],
      }),
      deployedBytecode: readsDeployedBytecode,
      immutables: readsImmutables,
    },
  }
}

function createDids(at: Addresses): Some<'accountDid' | 'didProxy'> {
  return {
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
  }
}
