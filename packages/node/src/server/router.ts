import {
  BadInputError,
  type ByteStream,
  envelopeFromError,
  errorResponse,
  type Handler,
  MemoError,
  NotFoundError,
  RemoteError,
  type WireRequest,
  type WireResponse,
} from '@memo/core'
import type { EventSink } from '../events.ts'
import { BusyError, NodeFaultError, type NodeRole, NotServingError } from './errors.ts'

/** A request that a route matched. */
export type Call = {
  readonly request: WireRequest
  /** Groups of the route's pattern, percent-decoded. */
  readonly params: readonly string[]
  readonly query: URLSearchParams
}

export type Route = {
  readonly method: string
  /** Over the whole path, without query. */
  readonly path: RegExp
  readonly answer: (call: Call) => Promise<WireResponse>
}

export type RouterOptions = {
  readonly role: NodeRole
  readonly routes: readonly Route[]
  /** Requests answered at once, bodies that still flow included; more get {@link BusyError}. */
  readonly maxRunning: number
  readonly log: EventSink
}

/** Answers requests by route, and can be opened and closed. */
export type Router = {
  readonly handler: Handler
  open(): void
  /** Refuses what comes from now on and waits for what is being answered. */
  close(): Promise<void>
}

const MAX_URL_CHARS = 4_096
const MAX_HEADER_CHARS = 16_384

/** A router that is closed at first. Its handler never rejects. */
export function createRouter(options: RouterOptions): Router {
  const running = new Set<Promise<unknown>>()
  /** Answers whose bodies are not at their end. */
  let flowing = 0
  let isOpen = false

  const handler: Handler = async (request) => {
    if (!isOpen) return errorResponse(new NotServingError(options.role, 'it is starting or stopping'))
    const taken = running.size + flowing
    if (taken >= options.maxRunning) {
      return errorResponse(new BusyError(options.role, `it answers ${taken} requests already`))
    }
    const answering = answer(options, request)
    running.add(answering)
    try {
      const response = await answering
      flowing++
      return { ...response, body: followed(response.body, request.signal, () => flowing--) }
    } finally {
      running.delete(answering)
    }
  }
  return {
    handler,
    open() {
      isOpen = true
    },
    async close() {
      isOpen = false
      await Promise.all(running)
    },
  }
}

/** `body`, telling once of its end: read to it, given up, failed, or its requester gone. */
function followed(body: ByteStream, signal: AbortSignal | undefined, onEnd: () => void): ByteStream {
  let isOver = false
  const end = () => {
    if (isOver) return
    isOver = true
    signal?.removeEventListener('abort', end)
    onEnd()
  }
  signal?.addEventListener('abort', end)
  if (signal?.aborted) end()
  const step = async (next: Promise<IteratorResult<Uint8Array>> | undefined) => {
    try {
      const result = (await next) ?? { done: true, value: undefined }
      if (result.done) end()
      return result
    } catch (thrown) {
      end()
      throw thrown
    }
  }
  return {
    [Symbol.asyncIterator]() {
      const iterator = body[Symbol.asyncIterator]()
      return { next: () => step(iterator.next()), return: () => step(iterator.return?.()) }
    },
  }
}

async function answer(options: RouterOptions, request: WireRequest): Promise<WireResponse> {
  try {
    const { route, call } = findRoute(options.routes, request)
    return await route.answer(call)
  } catch (thrown) {
    return answerOfError(options, request, thrown)
  }
}

function findRoute(routes: readonly Route[], request: WireRequest): { route: Route; call: Call } {
  assertSmallHead(request)
  const url = parseUrl(request.url)
  const matches = routes.flatMap((route) => {
    const match = route.path.exec(url.pathname)
    return match ? [{ route, match }] : []
  })
  if (matches.length === 0) throw new NotFoundError(`there is nothing at ${request.method} ${url.pathname}`)
  const found = matches.find(({ route }) => route.method === request.method)
  if (!found) throw new BadInputError(`${url.pathname} does not answer ${request.method}`)
  const params = found.match.slice(1).map(decodeParam)
  return { route: found.route, call: { request, params, query: url.searchParams } }
}

function assertSmallHead(request: WireRequest): void {
  if (request.url.length > MAX_URL_CHARS) throw new BadInputError(`a URL of more than ${MAX_URL_CHARS} characters`)
  let chars = 0
  for (const [name, value] of Object.entries(request.headers)) chars += name.length + value.length
  if (chars > MAX_HEADER_CHARS) throw new BadInputError(`headers of more than ${MAX_HEADER_CHARS} characters`)
}

/**
 * Path and query as they were sent. Dots in a path are not resolved before routing (`URL` would do so), so that what
 * is routed is what was signed.
 */
function parseUrl(url: string): { readonly pathname: string; readonly searchParams: URLSearchParams } {
  if (!url.startsWith('/')) throw new BadInputError('a path begins with a slash')
  const [pathname = '', query = ''] = splitOnce(url, '?')
  return { pathname, searchParams: new URLSearchParams(query) }
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function decodeParam(text: string | undefined): string {
  try {
    return decodeURIComponent(text ?? '')
  } catch (cause) {
    throw new BadInputError('a path that is not percent-encoded UTF-8', { cause })
  }
}

/**
 * What is our own fault, or the chain's, is an event; what is usual (no room, too much at once) would only fill the log
 * at the pace of strangers. And our own fault tells them nothing of our inside, such as paths; nor does the chain's of how
 * we reach it.
 */
function answerOfError({ role, log }: RouterOptions, request: WireRequest, thrown: unknown): WireResponse {
  if (request.signal?.aborted) return errorResponse(new NotServingError(role, 'the requester went away'))
  const isOurs = !(thrown instanceof MemoError) || thrown.blame === 'us'
  if (!isOurs && thrown.blame !== 'chain') return errorResponse(thrown)
  const path = splitOnce(request.url, '?')[0]
  const message = `${request.method} ${path}: ${thrown instanceof Error ? thrown.message : String(thrown)}`
  log({ type: 'request-failed', level: isOurs ? 'error' : 'warn', message, ...envelopeFromError(thrown) })
  return errorResponse(isOurs ? new NodeFaultError(role) : withoutInside(thrown))
}

function withoutInside({ name, message, blame, retry }: MemoError): RemoteError {
  return new RemoteError({ error: { name, message, blame, retry } })
}
