import { hexFromBytes } from '@memo/core'
import type { FastifyInstance } from 'fastify'
import type { GatewayContext } from '../context.ts'
import { readCall } from '../request.ts'

/** `POST /login` and `GET /login?did=` (`spec/login.md` 2 and 9). */
export function loginRoutes(app: FastifyInstance, context: GatewayContext): void {
  app.post('/login', async (request, reply) => {
    await context.sessions.login((await readCall(request)).auth)
    return await reply.type('text/plain; charset=utf-8').send('Login success!')
  })

  app.get<{ Querystring: { did?: string } }>('/login', async (request) => {
    const session = await context.sessions.find(request.query.did ?? '')
    if (!session) return { error: 'cannot find session, please log in first' }
    const { token, timestamp, nextRequestId } = session
    return { token: hexFromBytes(token), timestamp, requestID: String(nextRequestId ?? 0) }
  })
}
