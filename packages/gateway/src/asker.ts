import type { Address } from '@memo/core'
import type { MemoDid } from '@memo/did'
import type { FastifyRequest } from 'fastify'
import { buyerOf } from './buyer.ts'
import type { GatewayContext } from './context.ts'
import type { Call } from './request.ts'

/** An account that asks; `did` is there where a DID asked for which it buys. */
export type Asker = { readonly account: Address; readonly did: MemoDid | undefined }

/**
 * Who asks: the account that signed the request as between nodes (`spec/wire.md` 3), or else the DID of a restricted call.
 * The first needs no login, and so ends no session of the DID. Errors: UnauthorizedError, LoginRefusedError.
 */
export async function askerOf(context: GatewayContext, request: FastifyRequest, { auth, body }: Call): Promise<Asker> {
  if (request.headers['memo-account'] !== undefined) {
    const headers = Object.fromEntries(
      Object.entries(request.headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
    )
    const account = await context.requests.verify({ method: request.method, url: request.url, headers }, body)
    return { account, did: undefined }
  }
  const { did } = await context.sessions.authenticate(auth)
  return { account: await buyerOf(context, did), did }
}
