import {
  accountDidAbi,
  checkpointsAbi,
  didProxyAbi,
  escrowAbi,
  fileDidAbi,
  fileProxyAbi,
  governanceAbi,
  memoTokenAbi,
  ordersAbi,
  pledgesAbi,
  quotaPayAbi,
  readsAbi,
  registryAbi,
  rolesAbi,
  spaceMarketAbi,
  timelockAbi,
} from '@memo/contracts'
import { MemoError } from '@memo/core'
import { type AbiItem, BaseError, decodeErrorResult, type Hex, LimitExceededRpcError, UnknownRpcError } from 'viem'
import { RpcRefused, RpcUnreachable } from './errors.ts'
import { type Explanation, explanations } from './explanations.ts'

const contractErrors: readonly AbiItem[] = [
  ...accountDidAbi,
  ...timelockAbi,
  ...spaceMarketAbi,
  ...quotaPayAbi,
  ...fileProxyAbi,
  ...fileDidAbi,
  ...checkpointsAbi,
  ...didProxyAbi,
  ...escrowAbi,
  ...governanceAbi,
  ...memoTokenAbi,
  ...ordersAbi,
  ...pledgesAbi,
  ...readsAbi,
  ...registryAbi,
  ...rolesAbi,
].filter((item) => item.type === 'error')

/** Names of all errors that the contracts can give. */
export const contractErrorNames: ReadonlySet<string> = new Set(
  contractErrors.flatMap((item) => ('name' in item ? [item.name] : [])),
)

/** A contract refused a call. `reason` is the name of its custom error, `details.args` its values as text. */
export class ContractRefused extends MemoError {
  override readonly name = 'ContractRefused'
  readonly reason: string

  constructor(reason: string, args: readonly unknown[], explanation: Explanation, cause: unknown) {
    const values = args.map(String)
    super(`${explanation.says} (${reason}${values.length === 0 ? '' : `: ${values.join(', ')}`})`, {
      blame: explanation.blame,
      retry: explanation.retry,
      fix: explanation.fix,
      details: { reason, args: values },
      cause,
    })
    this.reason = reason
  }
}

/** What the compiler puts where a number does not fit. */
const OVERFLOW = 17n
const tooLarge: Explanation = {
  says: 'a number would become larger, or smaller, than the contract can count',
  blame: 'user',
  retry: 'never',
  fix: 'Take a smaller amount.',
}

/** The refusal inside an error of viem, or undefined when it is none. */
export function decodeRevert(error: unknown): ContractRefused | undefined {
  const data = findRevertData(error)
  if (data === undefined) return undefined
  try {
    const { errorName, args = [] } = decodeErrorResult({ abi: contractErrors, data })
    if (errorName === 'Panic' && args[0] === OVERFLOW) return new ContractRefused('NumberTooLarge', [], tooLarge, error)
    return new ContractRefused(errorName, args as readonly unknown[], explain(errorName), error)
  } catch (cause) {
    const unknown = { says: `the contract refused with ${data.slice(0, 10)}`, blame: 'us', retry: 'never' } as const
    return new ContractRefused('Unknown', [data], unknown, cause)
  }
}

/** Turns what viem throws into an error that says whose fault it is. */
export function asMemoError(error: unknown, context: { rpcUrl: string; doing: string }): unknown {
  if (error instanceof MemoError || !(error instanceof BaseError)) return error
  const refusal = decodeRevert(error)
  if (refusal !== undefined) return refusal
  if (isTransportFault(error)) return new RpcUnreachable(context.rpcUrl, error)
  return new RpcRefused(context.doing, error)
}

/** No answer at all: the provider failed with something that is no RPC error. */
export function isTransportFault(error: unknown): boolean {
  if (!(error instanceof BaseError)) return false
  return error.walk((inner) => inner instanceof UnknownRpcError && !hasCode(inner.cause)) !== null
}

/** The chain's node asks for patience. */
export function isLimited(error: unknown): boolean {
  return error instanceof BaseError && error.walk((inner) => inner instanceof LimitExceededRpcError) !== null
}

/** Whether a chain spoke. viem gives what it does not know the code -1. */
function hasCode(cause: unknown): boolean {
  const { code } = (cause ?? {}) as { readonly code?: unknown }
  return typeof code === 'number' && code !== -1
}

function explain(reason: string): Explanation {
  return explanations[reason] ?? { says: 'the contract refused', blame: 'us', retry: 'never' }
}

/** Where viem and the many servers put revert data: on any error of the chain of causes. */
function findRevertData(error: unknown): Hex | undefined {
  let current = error
  for (let depth = 0; depth < 12 && typeof current === 'object' && current !== null; depth++) {
    const { data, raw, cause } = current as { data?: unknown; raw?: unknown; cause?: unknown }
    for (const found of [raw, data, (data as { data?: unknown } | undefined)?.data]) {
      if (typeof found === 'string' && /^0x[0-9a-f]{8}/i.test(found)) return found as Hex
    }
    current = cause
  }
  return undefined
}
