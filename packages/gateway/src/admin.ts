import type { Address } from '@memo/core'
import type { FastifyRequest } from 'fastify'
import { askerOf } from './asker.ts'
import type { GatewayContext } from './context.ts'
import { ApiError } from './errors.ts'
import type { Call } from './request.ts'

/**
 * The account that asks for what operators alone may do: the gateway's own, a granter of governance, or that of an admin DID.
 * Errors: {@link ApiError} 526 for everybody else.
 */
export async function findAdmin(context: GatewayContext, request: FastifyRequest, call: Call): Promise<Address> {
  const { account, did } = await askerOf(context, request, call)
  const isNamed = did !== undefined && context.adminDids.has(did)
  if (isNamed || account === context.account || (await context.quota.market.isGranter(account))) return account
  throw new ApiError(526, `${account} is neither the operator of this gateway nor a granter`)
}
