import { type Listener, listenHttp } from '@memo/platform'
import type { FastifyInstance } from 'fastify'

/** An upload takes as long as it takes while something moves, and may be silent while its object becomes durable. */
const LIMITS = { requestTimeoutMs: 0, idleTimeoutMs: 600_000 }

/** Serves a gateway at a port; 0 takes any free one. Errors: ListenError. */
export async function listenAt(app: FastifyInstance, host: string, port: number): Promise<Listener> {
  return await listenHttp((request, response) => app.routing(request, response), { host, port, limits: LIMITS })
}
