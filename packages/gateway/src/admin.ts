import type { Address } from '@memo/core'
import type { FastifyRequest } from 'fastify'
import { buyerOf } from './buyer.ts'
import type { GatewayContext } from './context.ts'
import { ApiError } from './errors.ts'
import type { Call } from './request.ts'

/**
 * The account that asks for what operators alone may do: by a request that it signed as between nodes (`spec/wire.md` 3),
 * or by a restricted call of its DID. It is the gateway's own, a granter of governance, or that of an admin DID. Errors:
 * {@link ApiError} 526 for everybody else.
 */
export async function findAdmin(context: GatewayContext, request: FastifyRequest, call: Call): Promise<Address> {
  const { account, isNamed } = await whoAsks(context, request, call)
  if (isNamed || account === context.account || (await context.quota.market.isGranter(account))) return account
  throw new ApiError(526, `${account} is neither the operator of this gateway nor a granter`)
}

async function whoAsks(
  context: GatewayContext,
  request: FastifyRequest,
  { auth, body }: Call,
): Promise<{ readonly account: Address; readonly isNamed: boolean }> {
  if (request.headers['memo-account'] !== undefined) {
    const headers = Object.fromEntries(
      Object.entries(request.headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
    )
    const account = await context.requests.verify({ method: request.method, url: request.url, headers }, body)
    return { account, isNamed: false }
  }
  const { did } = await context.sessions.authenticate(auth)
  return { account: await buyerOf(context, did), isNamed: context.adminDids.has(did) }
}
