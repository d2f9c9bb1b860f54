import { type Address, MemoError } from '@memo/core'
import type { Hex } from 'viem'
import { type Addresses, canonicalAddress } from '../addresses.ts'
import { type ChainClient, requireSender } from '../client/chain-client.ts'
import { delay } from '../client/delay.ts'
import { asMemoError } from '../client/revert.ts'
import { RECEIPT_TIMEOUT_MS } from '../client/sender.ts'
import type { NetworkParams } from './params.ts'
import { type DeployPlan, type DeployStep, planDeploy } from './plan.ts'

/** What a deployment remembers between runs: one small record, which `save` must have made durable when it resolves. */
export type DeployStore = {
  load(): Promise<DeployState | undefined>
  save(state: DeployState): Promise<void>
}

export type DeployState = {
  readonly chainId: number
  readonly deployer: Address
  /** The deployer's nonce at which the plan begins. */
  readonly firstNonce: number
}

export type RunDeployOptions = {
  readonly params: NetworkParams
  /** Needed only where the deployer has sent transactions before: it remembers where the plan begins. */
  readonly store?: DeployStore | undefined
  /** Told of each step: created now, or found. */
  readonly onStep?: ((step: DeployStep, outcome: 'created' | 'found') => void) | undefined
  readonly signal?: AbortSignal | undefined
}

export type DeployResult = {
  readonly registry: Address
  readonly addresses: Addresses
  readonly chainId: number
  /** The newest block when the deployment was found complete. */
  readonly block: number
}

/** The deployer has a past and nothing remembers where the plan began. */
export class DeployerNotFresh extends MemoError {
  override readonly name = 'DeployerNotFresh'
  constructor(deployer: string, nonce: number) {
    super(`the deployer ${deployer} has sent ${nonce} transactions and no deployment is remembered`, {
      blame: 'user',
      retry: 'never',
      fix: 'Use a new key to deploy, or give the store of the deployment that was begun.',
      details: { deployer, nonce },
    })
  }
}

/** The deployer's nonce was spent on something else, or another parameter set was deployed there. */
export class DeployBlocked extends MemoError {
  override readonly name = 'DeployBlocked'
  constructor(step: DeployStep, reason: string) {
    super(`${step.key} cannot be deployed at ${step.address}: ${reason}`, {
      blame: 'user',
      retry: 'never',
      fix: 'Use a new key to deploy.',
      details: { step: step.key, address: step.address, nonce: step.nonce },
    })
  }
}

/**
 * Deploys a network with the client's account, or finds it deployed. Safe to kill at any moment and to run again with
 * the same deployer: what stands is kept, what lacks is created, the addresses are the same.
 * Errors: {@link DeployerNotFresh}, {@link DeployBlocked}, and those of sending.
 */
export async function runDeploy(client: ChainClient, options: RunDeployOptions): Promise<DeployResult> {
  try {
    return await deploy(client, options)
  } catch (error) {
    throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: 'deploy' })
  }
}

/**
 * What keeps a plan from being carried out on this chain: other code, or none where its deployer has sent something else. Only
 * looks. Undefined where nothing is deployed yet, or this plan was, wholly or in part. Errors: those of reading.
 */
export async function findDeployConflict(client: ChainClient, plan: DeployPlan): Promise<DeployBlocked | undefined> {
  try {
    const nonce = await client.rpc.getTransactionCount({ address: plan.deployer })
    for (const step of plan.steps) {
      const code = await client.rpc.getCode({ address: step.address })
      if (code !== undefined && !isExpectedCode(code, step)) return new DeployBlocked(step, 'other code stands there')
      if (code === undefined && nonce > step.nonce) {
        return new DeployBlocked(step, `nonce ${step.nonce} was used for something else`)
      }
    }
    return undefined
  } catch (error) {
    throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: 'look at what is deployed' })
  }
}

async function deploy(client: ChainClient, options: RunDeployOptions): Promise<DeployResult> {
  const { from } = requireSender(client)
  const deployer = canonicalAddress(from)
  const chainId = await client.rpc.getChainId()
  const state = await begin(client, { chainId, deployer }, options)
  const plan = planDeploy({ deployer, firstNonce: state.firstNonce, params: options.params })
  for (const step of plan.steps) {
    options.signal?.throwIfAborted()
    // Apart from the call below, whose arguments are not evaluated where nobody is told.
    const outcome = await runStep(client, deployer, step, options.signal)
    options.onStep?.(step, outcome)
  }
  const block = Number(await client.rpc.getBlockNumber())
  return { registry: plan.addresses.registry, addresses: plan.addresses, chainId, block }
}

/** Where the plan begins: as remembered; at nonce 0 of a fresh deployer or of one whose first step is ours. */
async function begin(
  client: ChainClient,
  { chainId, deployer }: { chainId: number; deployer: Address },
  { store, params }: RunDeployOptions,
): Promise<DeployState> {
  const remembered = await store?.load()
  if (remembered?.chainId === chainId && remembered.deployer === deployer) return remembered
  const nonce = await client.rpc.getTransactionCount({ address: deployer, blockTag: 'pending' })
  const state = { chainId, deployer, firstNonce: store === undefined ? 0 : nonce }
  await store?.save(state)
  if (store === undefined && nonce > 0 && !(await hasBegun(client, planDeploy({ ...state, params })))) {
    throw new DeployerNotFresh(deployer, nonce)
  }
  return state
}

async function hasBegun(client: ChainClient, plan: DeployPlan): Promise<boolean> {
  const [first] = plan.steps
  if (first === undefined) return false
  const code = await client.rpc.getCode({ address: first.address })
  if (code !== undefined) return isExpectedCode(code, first)
  // Sent by a run that was killed, and not in a block yet.
  const [mined, pending] = await Promise.all(
    (['latest', 'pending'] as const).map((blockTag) =>
      client.rpc.getTransactionCount({ address: plan.deployer, blockTag }),
    ),
  )
  return mined === 0 && pending !== undefined && pending <= plan.steps.length
}

async function runStep(
  client: ChainClient,
  deployer: Address,
  step: DeployStep,
  signal: AbortSignal | undefined,
): Promise<'created' | 'found'> {
  if (await stands(client, step)) return 'found'
  await waitForPending(client, deployer, step, signal)
  const nonce = await client.rpc.getTransactionCount({ address: deployer, blockTag: 'latest' })
  if (nonce > step.nonce) {
    if (await stands(client, step)) return 'found'
    throw new DeployBlocked(step, `nonce ${step.nonce} was used for something else`)
  }
  const { sender } = requireSender(client)
  await sender.send({ data: step.data, nonce: step.nonce, signal })
  if (!(await standsNow(client, step))) throw new DeployBlocked(step, 'its creation left no code')
  return 'created'
}

/** A run that was killed may have sent this step: it gets time to come into a block. */
async function waitForPending(
  client: ChainClient,
  deployer: Address,
  step: DeployStep,
  signal: AbortSignal | undefined,
): Promise<void> {
  const count = (blockTag: 'latest' | 'pending'): Promise<number> =>
    client.rpc.getTransactionCount({ address: deployer, blockTag })
  if ((await count('pending')) <= step.nonce) return
  for (let waitedMs = 0; waitedMs < RECEIPT_TIMEOUT_MS; waitedMs += client.rpc.pollingInterval) {
    if ((await count('latest')) > step.nonce) return
    await delay(client.rpc.pollingInterval, signal)
  }
  throw new DeployBlocked(step, `a transaction with nonce ${step.nonce} waits and comes into no block`)
}

async function stands(client: ChainClient, step: DeployStep): Promise<boolean> {
  return holdsCode(await client.rpc.getCode({ address: step.address }), step)
}

/** The same right after the creation, which an endpoint that lags does not know yet. */
async function standsNow(client: ChainClient, step: DeployStep): Promise<boolean> {
  const { address } = step
  const code = await client.horizon.read((blockNumber) =>
    client.rpc.getCode({ address, ...(blockNumber && { blockNumber }) }),
  )
  return holdsCode(code, step)
}

/** Errors: {@link DeployBlocked} where other code stands. */
function holdsCode(code: Hex | undefined, step: DeployStep): boolean {
  if (code === undefined) return false
  if (isExpectedCode(code, step)) return true
  throw new DeployBlocked(step, 'other code stands there')
}

/** Whether code is that of a step, wherever no immutable stands. */
function isExpectedCode(code: Hex, { deployedBytecode, immutables }: DeployStep): boolean {
  if (code.length !== deployedBytecode.length) return false
  const blank = (text: string): string =>
    immutables.reduce((masked, { start, length }) => {
      const from = 2 + start * 2
      return masked.slice(0, from) + '0'.repeat(length * 2) + masked.slice(from + length * 2)
    }, text.toLowerCase())
  return blank(code) === blank(deployedBytecode)
}
