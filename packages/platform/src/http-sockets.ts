import type { WireRequest, WireResponse } from '@memo/core'
import { type Connection, openConnection } from './http-connection.ts'
import { requestHead } from './http-head.ts'

export type SocketsOptions = {
  /** Connections to one host at the most; further requests wait for one. */
  readonly maxConnectionsPerHost: number
  readonly connectTimeoutMs: number
  readonly silenceTimeoutMs: number
  /** How long a connection stays open without a request. */
  readonly keepAliveMs: number
}

/** A request whose body, if any, is in memory. */
export type WholeRequest = Omit<WireRequest, 'body'> & { readonly body?: Uint8Array | undefined }

/** Sends requests over plain sockets, each host's over connections of its own that are used again. */
export type Sockets = {
  /** `url` is that of the request. Rejects with the signal's reason, or whatever broke the connection. */
  request(request: WholeRequest, url: URL): Promise<WireResponse>
  /** Breaks what is under way. */
  close(): void
}

/** Requests that change nothing are sent again where a connection turns out to have been closed while it rested. */
const REPEATABLE: readonly string[] = ['GET', 'HEAD']
const HTTP_PORT = 80

type Host = {
  readonly all: Set<Connection>
  /** The one that was used last comes first, so that those which are not needed end. */
  readonly idle: Connection[]
  readonly waiting: Set<() => void>
}

export function createSockets(options: SocketsOptions): Sockets {
  const hosts = new Map<string, Host>()
  let isClosed = false

  const hostOf = (url: URL): Host => {
    const known = hosts.get(url.host)
    if (known) return known
    const host: Host = { all: new Set(), idle: [], waiting: new Set() }
    hosts.set(url.host, host)
    return host
  }
  const wakeOne = (host: Host) => {
    const [next] = host.waiting
    if (!next) return
    host.waiting.delete(next)
    next()
  }
  const open = (host: Host, url: URL): Connection => {
    const connection: Connection = openConnection({
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: Number(url.port || HTTP_PORT),
      connectTimeoutMs: options.connectTimeoutMs,
      silenceTimeoutMs: options.silenceTimeoutMs,
      onIdle(isFree) {
        if (isFree && !isClosed) {
          connection.rest(options.keepAliveMs)
          host.idle.push(connection)
        } else {
          host.all.delete(connection)
          const at = host.idle.indexOf(connection)
          if (at >= 0) host.idle.splice(at, 1)
          if (host.all.size === 0 && host.waiting.size === 0) hosts.delete(url.host)
        }
        wakeOne(host)
      },
    })
    host.all.add(connection)
    return connection
  }
  const take = async (url: URL, signal: AbortSignal | undefined, isFresh: boolean): Promise<Connection> => {
    for (;;) {
      if (isClosed) throw new TypeError('the transport was closed')
      const host = hostOf(url)
      const idle = isFresh ? undefined : host.idle.pop()
      if (idle) return idle
      if (host.all.size < options.maxConnectionsPerHost) return open(host, url)
      const rested = host.idle.pop()
      if (rested) rested.destroy()
      else await turn(host, signal)
    }
  }
  const turn = async ({ waiting }: Host, signal: AbortSignal | undefined) => {
    await new Promise<void>((resolve, reject) => {
      const wake = () => {
        signal?.removeEventListener('abort', leave)
        resolve()
      }
      const leave = () => {
        waiting.delete(wake)
        reject(signal?.reason)
      }
      waiting.add(wake)
      signal?.addEventListener('abort', leave, { once: true })
    })
  }
  return {
    async request(request, url) {
      const { method, body, signal, memory } = request
      const isBodied = body !== undefined || !REPEATABLE.includes(method)
      const head = requestHead(
        request,
        `${url.pathname}${url.search}`,
        url.host,
        isBodied ? (body?.length ?? 0) : undefined,
      )
      for (let isFresh = false; ; isFresh = true) {
        const connection = await take(url, signal, isFresh)
        const mayBeClosed = connection.isUsed && REPEATABLE.includes(method)
        try {
          return await connection.run({ method, head, body, signal, memory })
        } catch (error) {
          if (!mayBeClosed || connection.hasAnswered || signal?.aborted || isClosed) throw error
        }
      }
    },
    close() {
      isClosed = true
      for (const { all, waiting } of [...hosts.values()]) {
        for (const connection of [...all]) connection.destroy()
        for (const wake of [...waiting]) wake()
        waiting.clear()
      }
    },
  }
}
