import type { FastifyInstance } from 'fastify'
import type { GatewayContext } from '../context.ts'
import { RETRY_AFTER_SECONDS } from '../errors.ts'

/** Whether it lives, whether it can serve, and what it is (`spec/gateway.md` 1). */
export function healthRoutes(app: FastifyInstance, context: GatewayContext): void {
  app.get('/', async (_request, reply) => await reply.type('text/plain; charset=utf-8').send('Welcome Server'))
  app.get('/livez', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const missing = await context.readiness.listMissing()
    if (missing.length === 0) return { status: 'ok' }
    return await reply.code(503).header('retry-after', RETRY_AFTER_SECONDS).send({ status: 'unavailable', missing })
  })
  app.get('/info', async () => ({ account: context.account, policy: context.policy, ...context.about }))
}
