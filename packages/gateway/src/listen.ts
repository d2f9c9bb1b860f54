import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ListenError } from '@memo/platform'
import type { FastifyInstance } from 'fastify'

const HEADERS_TIMEOUT_MS = 15_000
const KEEP_ALIVE_TIMEOUT_MS = 30_000
/** A connection on which nothing moves; an upload may be silent while its object becomes durable. */
const IDLE_TIMEOUT_MS = 600_000
const MAX_HEADER_BYTES = 32_768
const MAX_CONNECTIONS = 4_096
const SWEEP_MS = 50

/** A server that is listening. */
export type Listener = {
  readonly port: number
  /** Base URL without a slash at its end. */
  readonly url: string
  /** Takes no more requests, lets those under way end for `graceMs`, then breaks them. */
  close(graceMs: number): Promise<void>
}

/** Serves a gateway at a port; 0 takes any free one. Errors: {@link ListenError}. */
export async function listenAt(app: FastifyInstance, host: string, port: number): Promise<Listener> {
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: 0, // an upload takes as long as it takes, while something moves
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    noDelay: true,
  })
  server.maxConnections = MAX_CONNECTIONS
  server.setTimeout(IDLE_TIMEOUT_MS)
  server.on('request', (request, response) => app.routing(request, response))
  await bind(server, host, port)
  const bound = (server.address() as AddressInfo).port
  const shown = host.includes(':') ? `[${host}]` : host
  return { port: bound, url: `http://${shown}:${bound}`, close: async (graceMs) => await close(server, graceMs) }
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
      fix: inUse ? 'Stop what uses the port, or choose another one.' : 'Choose another host or port.',
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
