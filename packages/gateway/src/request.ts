import { BodyTooLargeError, collectBytes, textFromUtf8 } from '@memo/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type AuthFields, authFieldsFrom, type FieldSource } from './auth/fields.ts'
import type { Caller } from './auth/sessions.ts'
import type { GatewayContext } from './context.ts'
import { ApiError, LoginRefusedError, MISSING } from './errors.ts'

const MAX_JSON_BYTES = 65_536
/** Whoever sends so little so slowly only holds a connection. */
const MAX_JSON_MS = 30_000
/** What is still read of a request that is answered already. */
const MAX_DROPPED_BYTES = 67_108_864
const MAX_DROP_MS = 10_000

/** What a call carries: its fields by where they stood, and its body as it came. */
export type Call = {
  readonly auth: AuthFields & { readonly timestamp?: string }
  /** Body, then query. */
  readonly sources: readonly FieldSource[]
  /** Fields of the query, and those of the body instead where they are there. */
  readonly fields: FieldSource
  readonly body: Uint8Array
}

/**
 * The fields of a call's body: JSON in whatever content type, a url-encoded form, or nothing. Errors:
 * {@link LoginRefusedError} for a body that is neither.
 */
function bodyFields(type: string, bytes: Uint8Array): FieldSource {
  if (bytes.length === 0) return {}
  try {
    const text = textFromUtf8(bytes)
    if (type.startsWith('application/x-www-form-urlencoded')) return Object.fromEntries(new URLSearchParams(text))
    const plain: unknown = JSON.parse(text)
    return typeof plain === 'object' && plain !== null ? (plain as FieldSource) : {}
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof TypeError) throw new LoginRefusedError(MISSING)
    throw cause
  }
}

/**
 * Reads what a call carries, once for each request. A multipart form is left alone for the route that reads it. Errors:
 * {@link LoginRefusedError} for a body that is none of ours.
 */
export async function readCall(request: FastifyRequest): Promise<Call> {
  const type = request.headers['content-type']?.toLowerCase() ?? ''
  const body = type.startsWith('multipart/form-data') ? new Uint8Array(0) : await readSmall(request)
  const fields = bodyFields(type, body)
  const query = request.query as FieldSource
  const sources = [fields, query]
  const auth = authFieldsFrom(sources, request.headers)
  const timestamp = fields.timestamp ?? query.timestamp
  const timed = timestamp === undefined ? auth : { ...auth, timestamp: String(timestamp) }
  return { auth: timed, sources, fields: { ...query, ...fields }, body }
}

/** Verifies a restricted call. */
export async function authenticate(context: GatewayContext, request: FastifyRequest): Promise<Caller> {
  return await context.sessions.authenticate((await readCall(request)).auth)
}

/** A signal that is aborted when the client goes away before it has its answer. */
export function disconnectSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new ApiError(500, 'the client went away'))
  })
  return controller.signal
}

/**
 * Reads and drops what the client still sends of a request that is being answered already, so that the client gets to
 * see the answer; the connection then ends.
 */
export function dropRest(request: FastifyRequest, reply: FastifyReply): void {
  const { raw } = request
  if (raw.complete || raw.destroyed) return
  reply.header('connection', 'close')
  let bytes = 0
  const cut = () => raw.destroy()
  const timer = setTimeout(cut, MAX_DROP_MS).unref()
  raw.once('close', () => clearTimeout(timer))
  raw.on('data', (block: Uint8Array) => {
    bytes += block.length
    if (bytes > MAX_DROPPED_BYTES) cut()
  })
  raw.resume()
}

async function readSmall(request: FastifyRequest): Promise<Uint8Array> {
  const late = setTimeout(() => request.raw.destroy(), MAX_JSON_MS)
  try {
    // Destroyed with its reader, the request would take the connection along before it is answered.
    return await collectBytes(request.raw.iterator({ destroyOnReturn: false }), MAX_JSON_BYTES)
  } catch (cause) {
    if (cause instanceof RangeError) {
      throw new BodyTooLargeError(`a JSON body is at most ${MAX_JSON_BYTES} bytes`, { cause })
    }
    // Its client went away, or took too long: no fault of this gateway.
    if (request.raw.destroyed) throw new ApiError(516, 'the request was cut off', cause)
    throw cause
  } finally {
    clearTimeout(late)
  }
}
