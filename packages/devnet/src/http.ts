import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ListenError } from './errors.ts'
import { controlMethods } from './rpc/control.ts'
import { RPC_CODES, RpcError } from './rpc/errors.ts'
import { isObject } from './rpc/params.ts'

/** geth's limits: bytes of a request, and calls in a batch. */
const MAX_BODY_BYTES = 5 * 1024 * 1024
const MAX_BATCH = 1_000

const KEEP_ALIVE_MS = 60_000
const REQUEST_TIMEOUT_MS = 30_000

/** Calls that are under way when the server closes may take this long. */
const CLOSE_GRACE_MS = 2_000

/** What a browser is told that asks before it lets a page call. */
const PREFLIGHT_ANSWER = {
  allow: 'POST, OPTIONS',
  'access-control-allow-methods': 'POST',
  'access-control-allow-headers': '*',
  'access-control-max-age': '86400',
}

/** Answers one call. */
export type CallHandler = (method: string, params: unknown) => Promise<unknown>

/** A listening server. */
export type HttpServer = { readonly url: string; close(): Promise<void> }

/**
 * Serves JSON-RPC 2.0 over HTTP POST, single calls and batches.
 *
 * @throws {ListenError} when the address is taken.
 */
export async function listenHttp(handle: CallHandler, host: string, port: number): Promise<HttpServer> {
  const server = createServer((request, response) => {
    // The answer to a call that was under way when the server closed is the connection's last.
    const finish = (): void => void (server.listening ? undefined : request.socket.end())
    response.once('finish', finish)
    void serve(handle, request, response)
  })
  server.keepAliveTimeout = KEEP_ALIVE_MS
  server.requestTimeout = REQUEST_TIMEOUT_MS
  await startListening(server, host, port)
  const address = server.address() as AddressInfo
  const shownHost = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return {
    url: `http://${shownHost}:${address.port}`,
    close: () => closeServer(server),
  }
}

function startListening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(new ListenError(host, port, cause)))
    server.listen(port, host, () => resolve())
  })
}

/** Calls under way are answered if that is soon; connections that wait for another call are cut. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS)
    server.close(() => {
      clearTimeout(cut)
      resolve()
    })
    server.closeIdleConnections()
  })
}

async function serve(handle: CallHandler, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // Wallets and applications in browsers ask from origins of their own.
  response.setHeader('access-control-allow-origin', '*')
  if (request.method === 'OPTIONS') {
    response.writeHead(204, PREFLIGHT_ANSWER).end()
    return
  }
  if (request.method !== 'POST') {
    response.setHeader('allow', 'POST, OPTIONS')
    reply(response, 405, rpcFailure(null, new RpcError(RPC_CODES.invalidRequest, 'use POST')))
    return
  }
  try {
    const body = await readBody(request)
    if (body === undefined) {
      response.setHeader('connection', 'close')
      reply(response, 413, rpcFailure(null, new RpcError(RPC_CODES.invalidRequest, 'request entity too large')))
      return
    }
    reply(response, 200, await answer(request.headers.origin === undefined ? handle : forPages(handle), body))
  } catch {
    // The caller went away while it was sending: there is nobody to answer.
    response.destroy()
  }
}

/** What a page may call: all but what moves time, or any site that is looked at could ruin the networks of this machine. */
function forPages(handle: CallHandler): CallHandler {
  return async (method, params) => {
    if (!Object.hasOwn(controlMethods, method)) return handle(method, params)
    throw new RpcError(RPC_CODES.methodNotFound, `the method ${method} is not available to pages in browsers`)
  }
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of request) {
    sizeBytes += (chunk as Buffer).length
    if (sizeBytes > MAX_BODY_BYTES) return undefined
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function answer(handle: CallHandler, body: string): Promise<unknown> {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch (cause) {
    return rpcFailure(null, new RpcError(RPC_CODES.parse, 'parse error', { cause }))
  }
  if (!Array.isArray(parsed)) return answerOne(handle, parsed)
  if (parsed.length === 0) return rpcFailure(null, new RpcError(RPC_CODES.invalidRequest, 'empty batch'))
  if (parsed.length > MAX_BATCH) return rpcFailure(null, new RpcError(RPC_CODES.invalidRequest, 'batch too large'))
  const answers: unknown[] = []
  // In order: a batch of one sender's transactions has to arrive by nonce.
  for (const call of parsed) {
    const answered = await answerOne(handle, call)
    if (answered !== undefined) answers.push(answered)
  }
  return answers.length === 0 ? undefined : answers
}

/** Undefined for a notification, which gets no answer. */
async function answerOne(handle: CallHandler, call: unknown): Promise<unknown> {
  if (!isObject(call) || typeof call.method !== 'string') {
    return rpcFailure(null, new RpcError(RPC_CODES.invalidRequest, 'invalid request'))
  }
  const id = call.id
  try {
    const result = await handle(call.method, call.params)
    return id === undefined ? undefined : { jsonrpc: '2.0', id, result: result ?? null }
  } catch (error) {
    return id === undefined ? undefined : rpcFailure(id, error)
  }
}

function rpcFailure(id: unknown, error: unknown): unknown {
  const known = error instanceof RpcError ? error : new RpcError(RPC_CODES.internal, 'internal error')
  const { code, message, data } = known
  return { jsonrpc: '2.0', id, error: { code, message, ...(data === undefined ? {} : { data }) } }
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  const text = body === undefined ? '' : JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}
