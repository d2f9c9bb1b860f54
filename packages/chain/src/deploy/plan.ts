import { type Address, getContractAddress } from 'viem'
import { type Addresses, canonicalAddress } from '../addresses.ts'
import { type Creation, createAll } from './creations.ts'
import type { NetworkParams } from './params.ts'

/** The order of deployment; a contract's address follows from its place. */
const order = [
  'governance',
  'timelock',
  'memoToken',
  'roles',
  'pledges',
  'escrow',
  'orders',
  'reads',
  'accountDid',
  'didProxy',
  'spacePay',
  'trafficPay',
  'spaceMarket',
  'fileDid',
  'fileProxy',
  'checkpoints',
  'registry',
] as const

/** One contract to create, at one nonce of the deployer. */
export type DeployStep = Creation & {
  readonly key: keyof Addresses
  readonly nonce: number
  readonly address: Address
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
    return [key, canonicalAddress(address)] as const
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
