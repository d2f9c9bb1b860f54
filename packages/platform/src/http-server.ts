import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import {
  type ByteStream,
  errorResponse,
  type Handler,
  MemoError,
  type WireRequest,
  type WireResponse,
} from '@memo/core'
import { CORS_HEADERS, findPreflightAnswer } from './cors.ts'
import { type ListenLimits, listenHttp } from './listen.ts'
import { plainBytes } from './plain-bytes.ts'

/** The requester left before it had sent its request or read its answer. */
class RequesterGoneError extends MemoError {
  override readonly name: string = 'RequesterGoneError'
  constructor(cause?: unknown) {
    super('the requester closed the connection', { blame: 'user', retry: 'now', cause })
  }
}

export type ServerLimits = ListenLimits & {
  /** What is under way when the server closes may take so long to end. */
  readonly closeGraceMs?: number
}

const CLOSE_GRACE_MS = 3_000
/** Requests of one connection that were sent before the answer to the one before; more break it. Clients of ours send none. */
const MAX_PIPELINED = 16

export type ServeOptions = {
  readonly host?: string
  /** 0 takes any free port. */
  readonly port: number
  readonly limits?: ServerLimits
}

/** A running server. */
export type ServedHandler = {
  /** Base URL without a slash at its end. */
  readonly url: string
  readonly port: number
  /** Takes no more requests, lets those under way end for `closeGraceMs`, then breaks them. */
  close(): Promise<void>
}

/**
 * Serves a {@link Handler} over HTTP/1.1 (`spec/wire.md` 1). Bodies stream with back-pressure; `request.signal` is
 * aborted when the requester leaves; whatever the handler throws is answered as an error envelope. Pages of any origin
 * may ask and read (`spec/browser.md` 4); their preflights are answered here and do not reach the handler. Errors:
 * {@link ListenError}.
 */
export async function serveHandler(handler: Handler, options: ServeOptions): Promise<ServedHandler> {
  const { host = '127.0.0.1', port, limits: { closeGraceMs = CLOSE_GRACE_MS, ...limits } = {} } = options
  const { url, close, port: bound } = await listenHttp(answerInTurn(handler), { host, port, limits })
  return { url, port: bound, close: async () => await close(closeGraceMs) }
}

/**
 * Answers the requests of one connection one after another. Otherwise whoever pipelines hundreds of them in a few
 * kilobytes, and reads nothing, would hold as many bodies open.
 */
function answerInTurn(handler: Handler): (request: IncomingMessage, response: ServerResponse) => void {
  const lines = new WeakMap<Socket, { waiting: number; last: Promise<void> }>()
  return (request, response) => {
    const { socket } = request
    const line = lines.get(socket) ?? { waiting: 0, last: Promise.resolve() }
    lines.set(socket, line)
    if (line.waiting >= MAX_PIPELINED) {
      socket.destroy()
      return
    }
    line.waiting++
    line.last = line.last.then(async () => {
      try {
        if (!socket.destroyed) await answer(handler, request, response)
      } catch {
        response.destroy() // the socket is gone: there is nobody to tell
      }
      line.waiting--
    })
  }
}

async function answer(handler: Handler, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const preflight = findPreflightAnswer(request)
  if (preflight) {
    response.writeHead(204, preflight).end()
    return
  }
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new RequesterGoneError())
  })
  let reply: WireResponse
  try {
    reply = await handler(wireRequest(request, gone.signal))
  } catch (error) {
    reply = errorResponse(error)
  }
  const body = reply.body[Symbol.asyncIterator]()
  if (gone.signal.aborted) {
    await body.return?.()
    return
  }
  try {
    response.writeHead(reply.status, { ...CORS_HEADERS, ...reply.headers })
  } catch (error) {
    await body.return?.()
    await send(response, errorResponse(error))
    return
  }
  if (request.method === 'HEAD') {
    await body.return?.()
    response.end()
    return
  }
  await pump(body, response, reply.giveBack)
}

async function send(response: ServerResponse, reply: WireResponse): Promise<void> {
  response.writeHead(reply.status, { ...CORS_HEADERS, ...reply.headers })
  await pump(reply.body[Symbol.asyncIterator](), response)
}

/** Sends a body no faster than the requester reads it. A body that fails breaks the connection, so that it shows. */
async function pump(
  body: AsyncIterator<Uint8Array>,
  response: ServerResponse,
  giveBack?: (block: Uint8Array) => void,
): Promise<void> {
  try {
    for (let step = await body.next(); !step.done; step = await body.next()) {
      if (response.destroyed) {
        await body.return?.()
        return
      }
      const { value } = step
      const onSent = (error: Error | null | undefined) => {
        if (!error) giveBack?.(value) // only what the operating system has taken is nobody's any more
      }
      if (!response.write(value, onSent)) await drained(response)
    }
    response.end()
  } catch {
    response.destroy() // the head is sent: a broken connection is the only way left to say that it failed
  }
}

async function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed) return
  await new Promise<void>((resolve) => {
    const done = () => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
}

function wireRequest(request: IncomingMessage, signal: AbortSignal): WireRequest {
  const { headers, method = 'GET', url = '/' } = request
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
  return {
    method,
    url: url.startsWith('/') ? url : pathOfAbsolute(url),
    headers: headersOf(request),
    body: hasBody ? bodyOf(request) : undefined,
    signal,
  }
}

/** A request line may carry a whole URL, as for a proxy; what is no URL answers as the root. */
function pathOfAbsolute(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  return parsed ? `${parsed.pathname}${parsed.search}` : '/'
}

function headersOf(request: IncomingMessage): Record<string, string> {
  const out: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) out[name] = Array.isArray(value) ? value.join(', ') : value
  }
  return out
}

/** The body; a handler that stops reading leaves the connection open for its answer. */
function bodyOf(request: IncomingMessage): ByteStream {
  return {
    [Symbol.asyncIterator]() {
      const chunks: AsyncIterator<Uint8Array> = request.iterator({ destroyOnReturn: false })
      return {
        async next() {
          try {
            const step = await chunks.next()
            return step.done ? step : { done: false, value: plainBytes(step.value) }
          } catch (error) {
            throw new RequesterGoneError(error)
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
