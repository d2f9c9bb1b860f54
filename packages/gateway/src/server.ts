import Fastify, { type FastifyInstance } from 'fastify'
import type { GatewayContext } from './context.ts'
import { ApiError, apiErrorFrom, LoginRefusedError } from './errors.ts'
import { downloadRoutes } from './routes/download.ts'
import { loginRoutes } from './routes/login.ts'
import { objectRoutes } from './routes/objects.ts'
import { uploadRoutes } from './routes/upload.ts'

const RETRY_AFTER_SECONDS = '10'
const ALLOWED_HEADERS = [
  'Content-Type,AccessToken,X-CSRF-Token,Authorization,Token,Range,If-None-Match',
  'X-Memo-Did,X-Memo-Token,X-Memo-Request-Id,X-Memo-Payload,X-Memo-Payload-Hash,X-Memo-Signature',
].join(',')

/** The gateway's HTTP API over `context`; not listening yet. */
export function createServer(context: GatewayContext): FastifyInstance {
  const app = Fastify({
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 256 },
  })
  // The seeds' clients send JSON bodies on GET.
  app.addHttpMethod('GET', { hasBody: true, overrideExisting: true })
  // Bodies are read by the routes: JSON without a content type, forms as streams.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))

  allowOrigins(app)
  answerErrors(app)
  app.get('/', async (_request, reply) => await reply.type('text/plain; charset=utf-8').send('Welcome Server'))
  app.get('/livez', async () => ({ status: 'ok' }))
  app.get('/info', async () => ({ account: context.account, policy: context.policy, ...context.about }))
  loginRoutes(app, context)
  objectRoutes(app, context)
  uploadRoutes(app, context)
  downloadRoutes(app, context)
  return app
}

/** CORS as the original answers it (`spec/gateway.md` 9). */
function allowOrigins(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    if (request.headers.origin === undefined) return
    reply.headers({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'POST, GET, OPTIONS, PUT, DELETE, UPDATE',
      'access-control-allow-headers': ALLOWED_HEADERS,
      'access-control-expose-headers': 'Content-Length,Content-Range,ETag,Content-Disposition',
    })
  })
  app.options('/*', async (_request, reply) => await reply.code(204).send())
}

function answerErrors(app: FastifyInstance): void {
  app.setErrorHandler(async (thrown, request, reply) => {
    const error = apiErrorFrom(isHttpFault(thrown) ? new ApiError(516, thrown.message, thrown) : thrown)
    for (const header of ['content-length', 'content-disposition', 'etag', 'accept-ranges', 'last-modified']) {
      reply.removeHeader(header)
    }
    reply.header('cache-control', 'no-store').type('application/json; charset=utf-8')
    if (error instanceof LoginRefusedError) return await reply.code(401).send({ error: error.message })
    if (error.status === 503) reply.header('retry-after', RETRY_AFTER_SECONDS)
    const extra = request.url.startsWith('/mefs/delete') ? { Status: 'Failure' } : {}
    return await reply.code(error.status).send({ ...error.toBody(), ...extra })
  })
  app.setNotFoundHandler((request) => {
    const isStorage = /^\/[a-z]+\/?$/.test(request.url.split('?')[0] ?? '')
    throw isStorage && request.method === 'POST'
      ? new ApiError(518, 'storage not support')
      : new ApiError(404, `nothing answers ${request.method} ${request.url.slice(0, 200)}`)
  })
}

/** A fault that fastify found in the request itself, such as a bad URL. */
function isHttpFault(thrown: unknown): thrown is Error & { readonly statusCode: number } {
  const status = (thrown as { statusCode?: unknown } | null)?.statusCode
  return thrown instanceof Error && typeof status === 'number' && status < 500
}
