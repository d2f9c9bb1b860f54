import { type ByteStream, collectBytes, concatBytes, textFromUtf8, utf8 } from '../bytes/index.ts'
import { BadInputError, envelopeFromError, errorFromEnvelope, MemoError } from '../errors/index.ts'
import type { WireRequest, WireResponse } from '../ports.ts'

export const JSON_TYPE = 'application/json'
export const CBOR_TYPE = 'application/vnd.ipld.dag-cbor'
export const BYTES_TYPE = 'application/octet-stream'
/** Body of an error at the most; longer ones are cut off, not read. */
const MAX_ERROR_BYTES = 65_536

/** A body that is larger than the receiver takes. */
export class BodyTooLargeError extends BadInputError {
  override readonly name: string = 'BodyTooLargeError'
}

/** The other side answered with something that is no answer of this protocol. */
export class BadAnswerError extends MemoError {
  override readonly name: string = 'BadAnswerError'
}

/** HTTP status for each error that has one of its own, and for those that extend it; others follow from their blame. */
const STATUS_BY_NAME: Readonly<Record<string, number>> = {
  NotFoundError: 404,
  BodyTooLargeError: 413,
  UnauthorizedError: 401,
  ForbiddenError: 403,
  IndexConflictError: 409,
  CommitmentMismatchError: 409,
  PaymentRequiredError: 402,
  NoSpaceError: 507,
  BusyError: 503,
  TooManyRequestsError: 429,
}

/** An answer with a body in memory. */
export function bytesResponse(
  status: number,
  body: Uint8Array,
  contentType: string = BYTES_TYPE,
  headers: Readonly<Record<string, string>> = {},
): WireResponse {
  return streamResponse(status, [body], { 'content-type': contentType, 'content-length': `${body.length}`, ...headers })
}

/** An answer whose body flows. */
export function streamResponse(
  status: number,
  body: ByteStream | Iterable<Uint8Array>,
  headers: Readonly<Record<string, string>>,
): WireResponse {
  return { status, headers, body: Symbol.asyncIterator in body ? body : streamOf(body) }
}

export function jsonResponse(status: number, value: unknown): WireResponse {
  return bytesResponse(status, utf8(`${JSON.stringify(value, bigintAsText)}\n`), JSON_TYPE)
}

/** The answer for any thrown value (`spec/errors.md` 2). */
export function errorResponse(thrown: unknown): WireResponse {
  return jsonResponse(statusOfError(thrown), envelopeFromError(thrown))
}

/** HTTP status of an error between nodes. */
export function statusOfError(thrown: unknown): number {
  if (!(thrown instanceof MemoError)) return 500
  const own = STATUS_BY_NAME[thrown.name] ?? statusOfClass(thrown)
  return own ?? (thrown.blame === 'user' ? 400 : thrown.blame === 'us' ? 500 : 503)
}

/** The status of the nearest class that an error extends and that has one. */
function statusOfClass(error: MemoError): number | undefined {
  for (let type = Object.getPrototypeOf(error); type !== null; type = Object.getPrototypeOf(type)) {
    const status = STATUS_BY_NAME[type.constructor.name]
    if (status !== undefined) return status
  }
  return undefined
}

/** The whole body. Errors: {@link BodyTooLargeError}. */
export async function readBody(request: Pick<WireRequest, 'body'>, maxBytes: number): Promise<Uint8Array> {
  if (request.body === undefined) return new Uint8Array(0)
  try {
    return await collectBytes(request.body, maxBytes)
  } catch (cause) {
    if (cause instanceof RangeError) throw new BodyTooLargeError(`a body of more than ${maxBytes} bytes`, { cause })
    throw cause
  }
}

/** Parses JSON from a request. Errors: {@link BadInputError}. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(textFromUtf8(bytes))
  } catch (cause) {
    throw new BadInputError('the body is not JSON', { cause })
  }
}

/** Parses JSON from an answer. Errors: {@link BadAnswerError} with the other side's blame. */
export function parseJsonAnswer(bytes: Uint8Array, blame: 'provider' | 'keeper'): unknown {
  try {
    return JSON.parse(textFromUtf8(bytes))
  } catch (cause) {
    throw new BadAnswerError(`a ${blame} answered something that is not JSON`, { blame, retry: 'now', cause })
  }
}

/**
 * The body of a successful answer, bounded. Errors: the error that the other side reported, or
 * {@link BadAnswerError} with its blame.
 */
export async function readAnswer(
  response: WireResponse,
  maxBytes: number,
  blame: 'provider' | 'keeper',
): Promise<Uint8Array> {
  if (response.status >= 200 && response.status < 300) {
    try {
      return await collectBytes(response.body, maxBytes)
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause
      throw new BadAnswerError(`a ${blame} answered more than the ${maxBytes} bytes asked for`, {
        blame,
        retry: 'now',
        cause,
      })
    }
  }
  throw await errorOfAnswer(response, blame)
}

/** The error that an unsuccessful answer reports. */
export async function errorOfAnswer(response: WireResponse, blame: 'provider' | 'keeper'): Promise<MemoError> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body) {
    parts.push(part)
    length += part.length
    if (length > MAX_ERROR_BYTES) break
  }
  const body = concatBytes(...parts)
  const reported = findJson(body)
  return (
    errorFromEnvelope(reported) ??
    new BadAnswerError(`a ${blame} answered with HTTP ${response.status}`, {
      blame,
      retry: response.status >= 500 ? 'later' : 'never',
      details: { status: response.status },
    })
  )
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}

function findJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(textFromUtf8(bytes))
  } catch {
    return undefined // not JSON: the caller reports the status instead
  }
}

async function* streamOf(parts: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* parts
}
