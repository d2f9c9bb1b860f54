import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { GatewayContext } from './context.ts'
import { ApiError, apiErrorFrom, LoginRefusedError, RETRY_AFTER_SECONDS } from './errors.ts'
import { dropRest } from './request.ts'
import { applyRoutes } from './routes/apply.ts'
import { downloadRoutes } from './routes/download.ts'
import { healthRoutes } from './routes/health.ts'
import { loginRoutes } from './routes/login.ts'
import { objectRoutes } from './routes/objects.ts'
import { quotaRoutes } from './routes/quota.ts'
import { uploadRoutes } from './routes/upload.ts'

/** A path of some storage: `/mefs/`, `/ipfs/<cid>`. */
const STORAGE_PATH = /^\/[a-z0-9]+\/[^/]*$/
const MAX_QUOTED_CHARS = 200
const MAX_CID_CHARS = 256
const ALLOWED_HEADERS = [
  'Content-Type,AccessToken,X-CSRF-Token,Authorization,Token,Range,If-None-Match',
  'X-Memo-Did,X-Memo-Token,X-Memo-Request-Id,X-Memo-Payload,X-Memo-Payload-Hash,X-Memo-Signature',
  'X-Memo-Size,X-Memo-Sign,X-Memo-Length',
].join(',')
const EXPOSED_HEADERS = [
  'Content-Length,Content-Range,ETag,Content-Disposition,Retry-After',
  'X-Memo-Missing-Bytes,X-Memo-Voucher-Kind,X-Memo-Voucher-Size,X-Memo-Warning',
].join(',')

/** The gateway's HTTP API over `context`; not listening yet. */
export function createServer(context: GatewayContext): FastifyInstance {
  const app = Fastify({
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: MAX_CID_CHARS },
    // A path that cannot be decoded.
    frameworkErrors: (cause, request, reply: FastifyReply) => {
      const error = new ApiError(404, `nothing answers ${request.method} on such a path`, cause)
      return reply.code(error.status).send(error.toBody())
    },
  })
  // The seeds' clients send JSON bodies on GET.
  app.addHttpMethod('GET', { hasBody: true, overrideExisting: true })
  // Bodies are read by the routes: JSON without a content type, forms as streams.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))

  app.addHook('onSend', async (request, reply) => dropRest(request, reply))
  allowOrigins(app)
  answerErrors(app, context)
  healthRoutes(app, context)
  loginRoutes(app, context)
  objectRoutes(app, context)
  quotaRoutes(app, context)
  applyRoutes(app, context)
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
      'access-control-expose-headers': EXPOSED_HEADERS,
    })
  })
  app.options('/*', async (_request, reply) => await reply.code(204).send())
}

function answerErrors(app: FastifyInstance, { log }: GatewayContext): void {
  app.setErrorHandler(async (thrown, request, reply) => {
    const error = apiErrorFrom(isHttpFault(thrown) ? new ApiError(516, thrown.message, thrown) : thrown)
    for (const header of ['content-length', 'content-disposition', 'etag', 'accept-ranges', 'last-modified']) {
      reply.removeHeader(header)
    }
    reply.header('cache-control', 'no-store').type('application/json; charset=utf-8')
    const extra = request.url.startsWith('/mefs/delete') ? { Status: 'Failure' } : {}
    if (error instanceof LoginRefusedError) return await reply.code(401).send({ error: error.message, ...extra })
    reply.headers(error.headers)
    if (error.status === 503) reply.header('retry-after', error.headers['retry-after'] ?? RETRY_AFTER_SECONDS)
    if (error.status === 500) log({ type: 'request-failed', level: 'error', message: faultText(request, thrown) })
    return await reply.code(error.status).send({ ...error.toBody(), ...extra })
  })
  app.setNotFoundHandler((request) => {
    const [path = ''] = request.url.split('?')
    if (STORAGE_PATH.test(path)) throw new ApiError(518, 'storage not support')
    throw new ApiError(404, `nothing answers ${request.method} ${path.slice(0, MAX_QUOTED_CHARS)}`)
  })
}

/** Without the query, in which signatures may stand. */
function faultText(request: FastifyRequest, thrown: unknown): string {
  const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)
  return `${request.method} ${request.url.split('?')[0]?.slice(0, MAX_QUOTED_CHARS)} failed: ${text}`
}

/** A fault that fastify found in the request itself, such as a bad URL. */
function isHttpFault(thrown: unknown): thrown is Error & { readonly statusCode: number } {
  const status = (thrown as { statusCode?: unknown } | null)?.statusCode
  return thrown instanceof Error && typeof status === 'number' && status < 500
}
