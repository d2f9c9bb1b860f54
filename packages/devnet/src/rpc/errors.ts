import type { Hex } from '../hex.ts'

/** The codes of JSON-RPC 2.0, EIP-1474 and geth that this chain uses. */
export const RPC_CODES: {
  readonly parse: -32700
  readonly invalidRequest: -32600
  readonly methodNotFound: -32601
  readonly invalidParams: -32602
  readonly internal: -32603
  readonly server: -32000
  readonly limitExceeded: -32005
  readonly reverted: 3
} = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  server: -32000,
  limitExceeded: -32005,
  reverted: 3,
}

/** An error that a JSON-RPC caller sees as `{ code, message, data }`, worded as geth words it. */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  readonly code: number
  readonly data: Hex | undefined

  constructor(code: number, message: string, options: { readonly data?: Hex; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.data = options.data
  }
}

/** A refusal with the general server code, as geth gives for transactions and executions. */
export function serverError(message: string): RpcError {
  return new RpcError(RPC_CODES.server, message)
}

/** A parameter that is not what the method takes. */
export function invalidParams(message: string): RpcError {
  return new RpcError(RPC_CODES.invalidParams, message)
}
