import { Block, createBlockHeader } from '@ethereumjs/block'
import { createTx, type TypedTransaction, type TypedTxData } from '@ethereumjs/tx'
import { createAddressFromString, EthereumJSError } from '@ethereumjs/util'
import { minOf } from '../bigint.ts'
import type { Chain } from '../chain.ts'
import { type Hex, hexFromBytes, quantity } from '../hex.ts'
import { LruMap } from '../lru.ts'
import type { Outcome } from '../state-reader.ts'
import { type CallRequest, parseCall } from './call-request.ts'
import { getEnvironment, type RpcMethod } from './context.ts'
import { invalidParams, RPC_CODES, RpcError, serverError } from './errors.ts'
import { isObject } from './params.ts'
import { revertReason } from './revert.ts'

/** Gas that one call may use, whatever it asks for. */
const CALL_GAS_CAP = 50_000_000n

/** An estimate is this close to the least that suffices, as in geth. */
const ESTIMATE_ERROR_RATIO = 0.015

/** Gas that a value transfer hands to the callee on top of what the caller allots. */
const CALL_STIPEND = 2300n

/** Answers of calls that are remembered, and how long each may be with its question. */
const REMEMBERED_CALLS = 4_096
const MAX_REMEMBERED_CHARS = 8_192

/**
 * What calls of stored blocks returned: a stored block is never replaced, so that the same call of it returns the same.
 * The nodes of a local network ask the same things again and again, and one answer takes milliseconds to compute.
 */
const answers = new WeakMap<Chain, LruMap<string, Hex>>()

function answersOf(chain: Chain): LruMap<string, Hex> {
  const known = answers.get(chain) ?? new LruMap<string, Hex>(REMEMBERED_CALLS)
  answers.set(chain, known)
  return known
}

function findCallKey({ root, block }: Environment, call: unknown): string | undefined {
  const text = JSON.stringify(call)
  return text.length > MAX_REMEMBERED_CHARS ? undefined : `${block.header.number} ${hexFromBytes(root)} ${text}`
}

/** Methods that execute without a block. */
export const executionMethods: Readonly<Record<string, RpcMethod>> = {
  eth_call: async ({ chain }, [call, block, overrides]) => {
    assertNoOverrides(overrides)
    const request = parseCall(call)
    const environment = getEnvironment(chain, block)
    const key = block === 'pending' ? undefined : findCallKey(environment, call)
    const known = key && answersOf(chain).get(key)
    if (known !== undefined) return known
    const gas = minOf(request.gas ?? CALL_GAS_CAP, CALL_GAS_CAP)
    const result = await execute(chain, environment, request, gas)
    throwIfFailed(result)
    const answer = hexFromBytes(result.execResult.returnValue)
    if (key && answer.length <= MAX_REMEMBERED_CHARS) answersOf(chain).set(key, answer)
    return answer
  },

  // Without a tag the environment is that of the next block: what is estimated is going to be mined there.
  eth_estimateGas: async ({ chain }, [call, block, overrides]) => {
    assertNoOverrides(overrides)
    return quantity(await estimateGas(chain, getEnvironment(chain, block ?? 'pending'), parseCall(call)))
  },
}

type Environment = { readonly root: Uint8Array; readonly block: Block }

async function estimateGas(chain: Chain, environment: Environment, request: CallRequest): Promise<bigint> {
  const ceiling = await gasCeiling(chain, environment, request)
  const first = await execute(chain, environment, request, ceiling)
  if (isOutOfGas(first)) throw serverError(`gas required exceeds allowance (${ceiling})`)
  throwIfFailed(first)
  const used = first.totalGasSpent
  if (await suffices(chain, environment, request, used)) return used
  let tooLittle = used
  let enough = ceiling
  // What the first run was refunded, and the 64th that every inner call holds back, nearly always do.
  let guess = minOf(((used + (first.gasRefund ?? 0n) + CALL_STIPEND) * 64n) / 63n, ceiling)
  while (Number(enough - tooLittle) / Number(enough) >= ESTIMATE_ERROR_RATIO) {
    if (await suffices(chain, environment, request, guess)) enough = guess
    else tooLittle = guess
    guess = (enough + tooLittle) / 2n
  }
  return enough
}

/** The most gas that the transaction may ask for: the block's limit, and what the sender can pay for. */
async function gasCeiling(chain: Chain, { root, block }: Environment, request: CallRequest): Promise<bigint> {
  const limit = minOf(request.gas ?? block.header.gasLimit, block.header.gasLimit)
  const feeCap = request.maxFeePerGas ?? request.gasPrice ?? 0n
  if (feeCap === 0n) return limit
  const { balance } = await chain.state.account(root, request.from)
  if (balance < request.value) throw serverError('insufficient funds for transfer')
  return minOf(limit, (balance - request.value) / feeCap)
}

async function suffices(chain: Chain, environment: Environment, request: CallRequest, gas: bigint): Promise<boolean> {
  try {
    return (await execute(chain, environment, request, gas)).execResult.exceptionError === undefined
  } catch (error) {
    if (error instanceof RpcError) return false
    throw error
  }
}

async function execute(
  chain: Chain,
  environment: Environment,
  request: CallRequest,
  gasLimit: bigint,
): Promise<Outcome> {
  const { root } = environment
  const feeCap = request.maxFeePerGas ?? request.gasPrice ?? 0n
  // As in geth: who names no fee sees a base fee of zero, and pays nothing.
  const block = feeCap === 0n ? withoutBaseFee(environment.block) : environment.block
  const { nonce, balance } = await chain.state.account(root, request.from)
  try {
    const tx = unsignedTx(chain, request, gasLimit, request.nonce ?? nonce)
    assertGas(tx)
    assertFunds(request, balance, gasLimit * feeCap + request.value)
    return await chain.state.run(root, block, tx)
  } catch (error) {
    if (error instanceof EthereumJSError)
      throw new RpcError(RPC_CODES.server, firstWords(error.message), { cause: error })
    throw error
  }
}

function unsignedTx(chain: Chain, request: CallRequest, gasLimit: bigint, nonce: bigint): TypedTransaction {
  const { from, to, data, value, gasPrice, maxFeePerGas, maxPriorityFeePerGas, accessList, authorizationList } = request
  const common = { nonce, gasLimit, value, data, ...(to === undefined ? {} : { to }) }
  const listed = accessList === undefined ? {} : { accessList }
  const fees = { maxFeePerGas: maxFeePerGas ?? 0n, maxPriorityFeePerGas: maxPriorityFeePerGas ?? 0n }
  const typed = { chainId: chain.common.chainId(), ...listed }
  const txData =
    authorizationList !== undefined
      ? { type: 4, ...common, ...typed, ...fees, authorizationList }
      : maxFeePerGas !== undefined
        ? { type: 2, ...common, ...typed, ...fees }
        : accessList !== undefined
          ? { type: 1, ...common, ...typed, gasPrice: gasPrice ?? 0n }
          : { type: 0, ...common, gasPrice: gasPrice ?? 0n }
  const tx = createTx(txData as TypedTxData, { common: chain.common, freeze: false })
  const sender = createAddressFromString(from)
  return Object.assign(tx, { getSenderAddress: () => sender })
}

function withoutBaseFee(block: Block): Block {
  const { common } = block
  const header = Object.assign(createBlockHeader(block.header, { common, freeze: false }), { baseFeePerGas: 0n })
  return new Block(header, [], [], [], { common })
}

function assertGas(tx: TypedTransaction): void {
  const least = tx.getMinimumGasLimit()
  if (tx.gasLimit < least) throw serverError(`intrinsic gas too low: have ${tx.gasLimit}, want ${least}`)
}

function assertFunds({ from }: CallRequest, balance: bigint, cost: bigint): void {
  if (balance >= cost) return
  throw serverError(`insufficient funds for gas * price + value: address ${from} have ${balance} want ${cost}`)
}

function isOutOfGas({ execResult }: Outcome): boolean {
  return execResult.exceptionError?.error.includes('out of gas') === true
}

function throwIfFailed({ execResult }: Outcome): void {
  const failure = execResult.exceptionError?.error
  if (failure === undefined) return
  if (failure !== 'revert') throw serverError(failure)
  const data = hexFromBytes(execResult.returnValue)
  const reason = revertReason(data)
  const message = reason === undefined ? 'execution reverted' : `execution reverted: ${reason}`
  throw new RpcError(RPC_CODES.reverted, message, { data })
}

function assertNoOverrides(overrides: unknown): void {
  const isEmpty = !isObject(overrides) || Object.keys(overrides).length === 0
  if (!isEmpty) throw invalidParams('state overrides are not supported')
}

/** The library appends its own state to a message, in brackets. */
function firstWords(message: string): string {
  return message.split(' (vm hf=')[0] ?? message
}
