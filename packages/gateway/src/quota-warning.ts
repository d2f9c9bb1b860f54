import { type Address, MemoError } from '@memo/core'
import type { MemoDid } from '@memo/did'
import type { FastifyReply } from 'fastify'
import { buyerOf } from './buyer.ts'
import type { GatewayContext } from './context.ts'
import { findWarning } from './quota/lasting.ts'

/**
 * Says in headers of an answer what of its buyer ends, and which voucher keeps it where it is bought; returns the text for the body
 * (`spec/gateway.md` 22).
 */
export async function warn(
  { quota }: Pick<GatewayContext, 'quota'>,
  reply: FastifyReply,
  buyer: Address,
): Promise<string | undefined> {
  const warning = await findWarning(quota.lasting, buyer)
  if (!warning) return undefined
  reply.header('x-memo-warning', warning.text)
  const bought = warning.endings.find(({ missingBytes }) => missingBytes === 0n)
  if (bought) {
    reply.header('x-memo-voucher-kind', bought.kind).header('x-memo-voucher-size', `${bought.voucherSize}`)
  }
  return warning.text
}

/** The same for an answer about a DID’s objects, which stands though nobody can be warned. */
export async function warnOwner(context: GatewayContext, reply: FastifyReply, did: MemoDid): Promise<void> {
  try {
    await warn(context, reply, await buyerOf(context, did))
  } catch (thrown) {
    if (!(thrown instanceof MemoError)) throw thrown
    context.log({ type: 'unwarned', level: 'warn', message: `nobody knows what of ${did} ends: ${thrown.message}` })
  }
}
