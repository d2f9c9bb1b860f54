import { MemoError } from '@memo/core'
import type { FastifyInstance } from 'fastify'
import type { GatewayContext } from '../context.ts'
import { RETRY_AFTER_SECONDS } from '../errors.ts'

/** Whether it lives, whether it can serve, and what it is (`spec/gateway.md` 1). */
export function healthRoutes(app: FastifyInstance, context: GatewayContext): void {
  app.get('/', async (_request, reply) => await reply.type('text/plain; charset=utf-8').send('Welcome Server'))
  app.get('/livez', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const missing = await context.readiness.listMissing()
    const warnings = await listWarnings(context)
    if (missing.length === 0) return { status: 'ok', ...(warnings.length > 0 ? { warnings } : {}) }
    return await reply.code(503).header('retry-after', RETRY_AFTER_SECONDS).send({ status: 'unavailable', missing })
  })
  app.get('/info', async () => {
    const paid = await describeOrders(context)
    return { account: context.account, policy: context.policy, ...context.about, ...(paid ? { orders: paid } : {}) }
  })
}

/** What the gateway holds of providers, and what it could still pay; amounts in attomemo. */
async function describeOrders({ orders }: GatewayContext): Promise<Readonly<Record<string, unknown>> | undefined> {
  if (!orders) return undefined
  try {
    const { orders: all, freeEscrowAtto } = await orders.status()
    const heldBytes = all.reduce((sum, order) => sum + order.heldBytes, 0)
    return { count: all.length, heldBytes, freeEscrowAtto: `${freeEscrowAtto}` }
  } catch (thrown) {
    if (!(thrown instanceof MemoError)) throw thrown
    return { error: thrown.message }
  }
}

/** What does not keep it from serving, and its operator should know. */
async function listWarnings({ quota: { market } }: GatewayContext): Promise<string[]> {
  try {
    const seller = await market.seller()
    if (seller === market.account) return []
    return [`vouchers: the market's seller is ${seller}, not this gateway's account, so only the trial is served`]
  } catch (thrown) {
    if (!(thrown instanceof MemoError)) throw thrown
    return [`vouchers: ${thrown.message}`]
  }
}
