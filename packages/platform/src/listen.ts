import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { MemoError } from '@memo/core'

/** This process may not listen where it should. */
export class ListenError extends MemoError {
  override readonly name: string = 'ListenError'
}

/** What a server lets others take of it. */
export type ListenLimits = {
  readonly maxHeaderBytes?: number
  readonly maxConnections?: number
  /** For the whole head of a request. */
  readonly headersTimeoutMs?: number
  /** For a whole request with its body; 0 where it takes as long as it takes, while something moves. */
  readonly requestTimeoutMs?: number
  /** A connection on which nothing moves. */
  readonly idleTimeoutMs?: number
  /** Between two requests. */
  readonly keepAliveTimeoutMs?: number
}

const DEFAULT_LIMITS: Required<ListenLimits> = {
  maxHeaderBytes: 32_768,
  maxConnections: 4_096,
  headersTimeoutMs: 15_000,
  requestTimeoutMs: 300_000,
  idleTimeoutMs: 180_000,
  keepAliveTimeoutMs: 30_000,
}
const TIMEOUT_CHECK_MS = 2_000
const SWEEP_MS = 50

/** A server that is listening. */
export type Listener = {
  /** Base URL without a slash at its end. */
  readonly url: string
  readonly port: number
  /** Takes no more requests, lets those under way end for `graceMs`, then breaks them. */
  close(graceMs: number): Promise<void>
}

/** Answers HTTP/1.1 at a port; 0 takes any free one. Errors: {@link ListenError}. */
export async function listenHttp(
  answer: RequestListener,
  options: { readonly host: string; readonly port: number; readonly limits?: ListenLimits },
): Promise<Listener> {
  const { host, port } = options
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const server = createServer({
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    noDelay: true,
  })
  server.maxConnections = limits.maxConnections
  server.setTimeout(limits.idleTimeoutMs)
  server.on('clientError', refuseMalformed)
  server.on('request', answer)
  await bind(server, host, port)
  const bound = (server.address() as AddressInfo).port
  const shown = host.includes(':') ? `[${host}]` : host
  return { url: `http://${shown}:${bound}`, port: bound, close: async (graceMs) => await close(server, graceMs) }
}

const REFUSALS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

function refuseMalformed({ code = '' }: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.writable && code !== 'ECONNRESET') {
    socket.end(`HTTP/1.1 ${REFUSALS[code] ?? '400 Bad Request'}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  } else socket.destroy()
}

async function bind(server: Server, host: string, port: number): Promise<void> {
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const inUse = code === 'EADDRINUSE'
    throw new ListenError(inUse ? `port ${port} of ${host} is in use` : `cannot listen on ${host}:${port} (${code})`, {
      blame: 'user',
      retry: inUse ? 'later' : 'never',
      fix: inUse ? 'Stop what uses the port, or choose another with --port.' : 'Choose another host or port.',
      details: { host, port, code },
      cause,
    })
  }
}

async function close(server: Server, graceMs: number): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  // A connection that becomes idle now would otherwise wait for a next request that is not going to be taken.
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS)
  const timer = setTimeout(() => server.closeAllConnections(), graceMs)
  await closed
  clearInterval(sweep)
  clearTimeout(timer)
}
