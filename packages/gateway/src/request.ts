import { BodyTooLargeError, collectBytes, textFromUtf8 } from '@memo/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type AuthFields, authFieldsFrom, type FieldSource } from './auth/fields.ts'
import type { Caller } from './auth/sessions.ts'
import type { GatewayContext } from './context.ts'
import { ApiError, LoginRefusedError, MISSING } from './errors.ts'

const MAX_JSON_BYTES = 65_536

/**
 * The fields of a call's body: JSON in whatever content type, a url-encoded form, or nothing. A multipart form is left
 * alone for the route that reads it. Errors: {@link LoginRefusedError} for a body that is neither.
 */
async function readBodyFields(request: FastifyRequest): Promise<FieldSource> {
  const type = request.headers['content-type']?.toLowerCase() ?? ''
  if (type.startsWith('multipart/form-data')) return {}
  const bytes = await readSmall(request)
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

/** The authentication fields of a call, from body, query and headers. */
export async function readAuthFields(request: FastifyRequest): Promise<AuthFields & { readonly timestamp?: string }> {
  const body = await readBodyFields(request)
  const query = request.query as FieldSource
  const fields = authFieldsFrom([body, query], request.headers)
  const timestamp = body.timestamp ?? query.timestamp
  return timestamp === undefined ? fields : { ...fields, timestamp: String(timestamp) }
}

/** Verifies a restricted call. */
export async function authenticate(context: GatewayContext, request: FastifyRequest): Promise<Caller> {
  return await context.sessions.authenticate(await readAuthFields(request))
}

/** A signal that is aborted when the client goes away before it has its answer. */
export function disconnectSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new ApiError(500, 'the client went away'))
  })
  return controller.signal
}

async function readSmall(request: FastifyRequest): Promise<Uint8Array> {
  try {
    return await collectBytes(request.raw, MAX_JSON_BYTES)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new BodyTooLargeError(`a JSON body is at most ${MAX_JSON_BYTES} bytes`, { cause })
  }
}
