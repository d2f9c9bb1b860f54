import { DevnetError } from '../errors.ts'
import { quantity } from '../hex.ts'
import { accountMethods } from './accounts.ts'
import { blockMethods } from './blocks.ts'
import type { RpcContext, RpcMethod } from './context.ts'
import { controlMethods } from './control.ts'
import { RPC_CODES, RpcError } from './errors.ts'
import { executionMethods } from './execution.ts'
import { feeMethods } from './fees.ts'
import { filterMethods } from './filters.ts'
import { logMethods } from './logs.ts'
import { transactionMethods } from './transactions.ts'

const CLIENT_VERSION = 'devnet/0.1.0'

const METHODS: ReadonlyMap<string, RpcMethod> = new Map(
  Object.entries({
    web3_clientVersion: () => CLIENT_VERSION,
    net_version: ({ chain }: RpcContext) => chain.common.chainId().toString(),
    net_listening: () => true,
    eth_chainId: ({ chain }: RpcContext) => quantity(chain.common.chainId()),
    eth_syncing: () => false,
    ...accountMethods,
    ...blockMethods,
    ...transactionMethods,
    ...executionMethods,
    ...logMethods,
    ...filterMethods,
    ...feeMethods,
    ...controlMethods,
  }),
)

/**
 * Answers one call with a JSON value.
 *
 * @throws {RpcError} for whatever a caller can be told; nothing else.
 */
export async function dispatch(context: RpcContext, method: string, params: unknown): Promise<unknown> {
  const run = METHODS.get(method)
  if (run === undefined) {
    throw new RpcError(RPC_CODES.methodNotFound, `the method ${method} does not exist/is not available`)
  }
  if (params !== undefined && params !== null && !Array.isArray(params)) {
    throw new RpcError(RPC_CODES.invalidParams, 'non-array args')
  }
  try {
    context.chain.assertRunning()
    return await run(context, params ?? [])
  } catch (error) {
    throw rpcErrorFrom(error)
  }
}

function rpcErrorFrom(error: unknown): RpcError {
  if (error instanceof RpcError) return error
  const reason = error instanceof Error ? error.message : String(error)
  const message = error instanceof DevnetError ? reason : `internal error: ${reason}`
  return new RpcError(RPC_CODES.internal, message, { cause: error })
}
