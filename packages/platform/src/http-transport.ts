import type { Readable } from 'node:stream'
import {
  type Blame,
  type ByteStream,
  type Transport,
  UnreachableError,
  type WireRequest,
  type WireResponse,
} from '@memo/core'
import { Agent, type Dispatcher } from 'undici'
import { createSockets, type WholeRequest } from './http-sockets.ts'
import { plainBytes } from './plain-bytes.ts'

const CONNECT_TIMEOUT_MS = 5_000
/** Last defence only: every exchange has a shorter deadline of its own (`spec/wire.md` 1). */
const SILENCE_TIMEOUT_MS = 150_000
const DEFAULT_CONNECTIONS_PER_HOST = 64
/** Shorter than any server's, so that a request is rarely sent into a connection that is being closed. */
const KEEP_ALIVE_MS = 4_000
const MAX_HEADER_BYTES = 65_536

export type HttpTransportOptions = {
  /** Connections to one host at the most; further requests wait for one. */
  readonly maxConnectionsPerHost?: number
  /** Whose fault it is when a host cannot be reached: what role the hosts have. */
  readonly blame?: Blame
}

/** A transport over sockets, and the way to end it. */
export type HttpTransport = {
  readonly transport: Transport
  /** Breaks what is under way and closes every connection. */
  close(): Promise<void>
}

/**
 * HTTP/1.1 with keep-alive. Bodies stream both ways with back-pressure. Errors of the transport:
 * {@link UnreachableError}, the reason of the caller's signal, and whatever the request body throws.
 */
export function createHttpTransport(options: HttpTransportOptions = {}): HttpTransport {
  const { maxConnectionsPerHost = DEFAULT_CONNECTIONS_PER_HOST, blame = 'provider' } = options
  const agent = new Agent({
    connections: maxConnectionsPerHost,
    pipelining: 1,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: SILENCE_TIMEOUT_MS,
    bodyTimeout: SILENCE_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  })
  const sockets = createSockets({
    maxConnectionsPerHost,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    silenceTimeoutMs: SILENCE_TIMEOUT_MS,
    keepAliveMs: KEEP_ALIVE_MS,
  })
  /** What is neither encrypted nor streams out: nearly all that nodes say to each other. */
  const sendPlainly = async (request: WholeRequest, url: URL): Promise<WireResponse> => {
    const { signal } = request
    const failure = (error: unknown) => (signal?.aborted ? signal.reason : unreachable(request, blame, error))
    try {
      const answer = await sockets.request(request, url)
      return { ...answer, body: failingWith(answer.body, failure) }
    } catch (error) {
      throw failure(error)
    }
  }
  return {
    async transport(request) {
      const { signal } = request
      signal?.throwIfAborted()
      const url = URL.parse(request.url)
      if (url?.protocol === 'http:' && isWhole(request)) return await sendPlainly(request, url)
      const body = trackedBody(request.body)
      try {
        const answer = await agent.request(dispatchOptions(request, body.stream))
        const failure = (error: unknown) => (signal?.aborted ? signal.reason : unreachable(request, blame, error))
        return {
          status: answer.statusCode,
          headers: headersOf(answer.headers),
          body: bodyOf(answer.body, failure),
        }
      } catch (error) {
        if (signal?.aborted) throw signal.reason
        if (body.failed()) throw body.error()
        throw unreachable(request, blame, error)
      }
    },
    async close() {
      sockets.close()
      await agent.destroy()
    },
  }
}

function isWhole(request: WireRequest): request is WholeRequest {
  return request.body === undefined || request.body instanceof Uint8Array
}

/** `body`, whose errors become those of `failure`. */
function failingWith(body: ByteStream, failure: (error: unknown) => unknown): ByteStream {
  return {
    [Symbol.asyncIterator]() {
      const chunks = body[Symbol.asyncIterator]()
      return {
        async next() {
          try {
            return await chunks.next()
          } catch (error) {
            throw failure(error)
          }
        },
        async return() {
          await chunks.return?.()
          return { done: true, value: undefined }
        },
      }
    },
  }
}

type Body = Dispatcher.DispatchOptions['body']

function dispatchOptions(request: WireRequest, body: Body): Dispatcher.RequestOptions {
  const url = new URL(request.url)
  return {
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method: request.method as Dispatcher.HttpMethod,
    headers: { ...request.headers },
    ...(body === null ? {} : { body }),
    ...(request.signal ? { signal: request.signal } : {}),
  } as Dispatcher.RequestOptions
}

/** The request body, with an eye on whether it was the body itself that failed: that is not the other side's fault. */
function trackedBody(body: WireRequest['body']): { stream: Body; failed: () => boolean; error: () => unknown } {
  let failure: { readonly error: unknown } | undefined
  const track = async function* (stream: ByteStream): AsyncGenerator<Uint8Array> {
    try {
      yield* stream
    } catch (error) {
      failure = { error }
      throw error
    }
  }
  const stream = body === undefined || body instanceof Uint8Array ? body : track(body)
  return { stream: (stream ?? null) as Body, failed: () => failure !== undefined, error: () => failure?.error }
}

function headersOf(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const out: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) out[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value
  }
  return out
}

/** The body as a stream that can be cancelled before its first read, which a generator could not. */
function bodyOf(readable: Readable, failure: (error: unknown) => unknown): ByteStream {
  readable.on('error', () => undefined) // told to whoever reads; a body that nobody reads any more fails in silence
  return {
    [Symbol.asyncIterator]() {
      const chunks: AsyncIterator<Uint8Array> = readable[Symbol.asyncIterator]()
      return {
        async next() {
          try {
            const step = await chunks.next()
            return step.done ? step : { done: false, value: plainBytes(step.value) }
          } catch (error) {
            throw failure(error)
          }
        },
        async return() {
          readable.destroy()
          return { done: true, value: undefined }
        },
      }
    },
  }
}

function unreachable(request: WireRequest, blame: Blame, cause: unknown): UnreachableError {
  const endpoint = URL.parse(request.url)?.origin ?? request.url
  return new UnreachableError(`${endpoint} cannot be reached: ${reasonOf(cause)}`, {
    blame,
    retry: 'now',
    fix: `Check that the node at ${endpoint} runs and that this machine can reach it.`,
    details: { endpoint, ...codeOf(cause) },
    cause,
  })
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it broke the connection',
  EPIPE: 'it broke the connection',
  UND_ERR_SOCKET: 'it broke the connection',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'it does not answer',
  UND_ERR_BODY_TIMEOUT: 'it stopped in the middle of its answer',
  ENOTFOUND: 'its name is unknown',
  EAI_AGAIN: 'its name cannot be looked up now',
  EHOSTUNREACH: 'there is no way to it',
  ETIMEDOUT: 'it does not answer',
  MALFORMED_ANSWER: 'it does not speak HTTP as it should',
  ENETUNREACH: 'there is no way to it',
}

function reasonOf(cause: unknown): string {
  const { code } = codeOf(cause)
  return (code && REASONS[code]) ?? (cause instanceof Error ? cause.message : String(cause))
}

function codeOf(cause: unknown): { code?: string } {
  const code = (cause as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? { code } : {}
}
