import {
  type Blame,
  BodyTooLargeError,
  type ByteStream,
  type Transport,
  UnreachableError,
  type WireRequest,
} from '@memo/core'
import { abortableStream } from '../flow/abortable.ts'

/** A piece has 64 MiB at the most; what a gateway is sent has no such end. */
const DEFAULT_MAX_BODY_BYTES = 1_073_741_824

export type FetchTransportOptions = {
  /** Bytes of one request body at the most. */
  readonly maxBodyBytes?: number | undefined
  /** Whose fault it is when a host cannot be reached: what role the hosts have. */
  readonly blame?: Blame | undefined
}

/**
 * A transport over `fetch`. Answers stream. A request body that streams is gathered first, since browsers send no stream
 * over HTTP/1.1 (`spec/browser.md` 3): as a Blob, which the browser may keep outside the page's memory. Nothing is
 * cached, no cookie is sent, no redirect followed.
 *
 * Errors of the transport: {@link UnreachableError}; {@link BodyTooLargeError}; the reason of the caller's signal;
 * whatever the request body throws.
 */
export function createFetchTransport(options: FetchTransportOptions = {}): Transport {
  const { maxBodyBytes = DEFAULT_MAX_BODY_BYTES, blame = 'provider' } = options
  return async (request) => {
    const { method, url, headers, signal } = request
    signal?.throwIfAborted()
    const body = await gatherBody(request, maxBodyBytes)
    const failure = (cause: unknown) => (signal?.aborted ? signal.reason : unreachable(url, blame, cause))
    try {
      const answer = await fetch(url, {
        method,
        headers: { ...headers },
        body: body ?? null,
        signal: signal ?? null,
        // A page must not wait for another that reads the same piece, nor be told of a piece that has gone.
        cache: 'no-store',
        credentials: 'omit',
        redirect: 'error',
        referrerPolicy: 'no-referrer',
      })
      return { status: answer.status, headers: Object.fromEntries(answer.headers), body: streamOf(answer, failure) }
    } catch (cause) {
      throw failure(cause)
    }
  }
}

/** The request's body in one. Each part is copied when it comes: who gives it may use its memory again. */
async function gatherBody({ body, signal }: WireRequest, maxBytes: number): Promise<Blob | undefined> {
  if (body === undefined) return undefined
  let length = 0
  const parts: Blob[] = []
  const take = (bytes: Uint8Array) => {
    length += bytes.length
    if (length > maxBytes) throw tooLarge(maxBytes)
    parts.push(new Blob([bytes as Uint8Array<ArrayBuffer>]))
  }
  if (body instanceof Uint8Array) take(body)
  else for await (const bytes of signal ? abortableStream(body, signal) : body) take(bytes)
  return new Blob(parts)
}

/** The answer's body as a stream that can be cancelled before its first read, which a generator could not. */
function streamOf({ body }: Response, failure: (cause: unknown) => unknown): ByteStream {
  return {
    [Symbol.asyncIterator]() {
      const reader = body?.getReader()
      return {
        async next() {
          try {
            const step = await reader?.read()
            return step?.value ? { done: false, value: step.value } : { done: true, value: undefined }
          } catch (cause) {
            throw failure(cause)
          }
        },
        async return() {
          await reader?.cancel().catch(() => undefined) // it failed before: whoever read it was told
          return { done: true, value: undefined }
        },
      }
    },
  }
}

/** Browsers do not tell a page why: it could learn what stands in a network that it does not belong to. */
function unreachable(url: string, blame: Blame, cause: unknown): UnreachableError {
  const endpoint = URL.parse(url)?.origin ?? url
  return new UnreachableError(`${endpoint} cannot be reached`, {
    blame,
    retry: 'now',
    fix: `Check that the node at ${endpoint} runs, and that a page may ask it: one served over HTTPS may ask HTTPS only.`,
    details: { endpoint },
    cause,
  })
}

function tooLarge(maxBytes: number): BodyTooLargeError {
  return new BodyTooLargeError(`a request body of more than ${maxBytes} bytes`, {
    fix: 'Send less at once, or raise maxBodyBytes.',
    details: { maxBytes },
  })
}
