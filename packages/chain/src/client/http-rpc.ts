/**
 * JSON-RPC over HTTP by the platform's `fetch`. Of our own, because what comes back is judged here: an answer to another question,
 * one that never ends, a server that asks for patience. Faults that no chain reported are plain errors without a numeric
 * code; the address stands in none of them, since keys stand in addresses.
 */
import type { RpcProvider } from './chain-client.ts'

/** Logs of a range and the code of contracts are the largest answers. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024
/** What servers say instead of `429` when they are asked too often (EIP-1474). */
export const LIMIT_EXCEEDED_CODE: number = -32_005
/** Longer than this nobody is kept waiting by what a server asks for. */
const MAX_RETRY_AFTER_MS = 5_000

/** The chain's own refusal, as EIP-1193 wants it. */
export class RpcFault extends Error {
  override readonly name = 'RpcFault'
  readonly code: number
  readonly data: unknown
  /** How long the server wants to be left alone. */
  readonly retryAfterMs: number | undefined

  constructor(message: string, { code, data, retryAfterMs }: { code: number; data?: unknown; retryAfterMs?: number }) {
    super(message)
    this.code = code
    this.data = data
    this.retryAfterMs = retryAfterMs
  }
}

type Answer = { readonly id?: unknown; readonly result?: unknown; readonly error?: unknown }

/** Asks the endpoint at `rpcUrl`, one call to a request. */
export function createHttpRpc(rpcUrl: string, timeoutMs: number): RpcProvider {
  const { url, headers } = endpointOf(rpcUrl)
  let lastId = 0
  return {
    async request({ method, params = [] }) {
      lastId += 1
      const id = lastId
      const body = JSON.stringify({ jsonrpc: '2.0', id, method, params })
      const { response, text } = await post({ url, headers, body, timeoutMs })
      if (response.status === 429) throw limited(response)
      const answer = parseAnswer(text)
      if (answer === undefined) throw new TypeError(`HTTP ${response.status}, and no JSON-RPC`)
      // The answer to another question may be true, and is not ours. Faults of the whole request have no id.
      const isForeign = answer.id !== id && !(answer.id === null && answer.error !== undefined)
      if (isForeign) throw new TypeError('an answer to another question')
      if (answer.error !== undefined && answer.error !== null) throw faultOf(answer.error)
      if (answer.result === undefined) throw new TypeError('an answer without a result')
      return answer.result
    },
  }
}

/** Login and password go into a header; the rest stays in the address. */
function endpointOf(rpcUrl: string): { readonly url: URL; readonly headers: Record<string, string> } {
  const url = new URL(rpcUrl)
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  url.username = ''
  url.password = ''
  const headers = { 'content-type': 'application/json' }
  return { url, headers: login === ':' ? headers : { ...headers, authorization: `Basic ${btoa(login)}` } }
}

type Post = {
  readonly url: URL
  readonly headers: Record<string, string>
  readonly body: string
  readonly timeoutMs: number
}

async function post({ timeoutMs, ...request }: Post): Promise<{ readonly response: Response; readonly text: string }> {
  const { url, headers, body } = request
  try {
    const response = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(timeoutMs) })
    return { response, text: await readText(response) }
  } catch (error) {
    // The platform's own errors of time have a number as their code, which would pass for the word of a chain.
    if (error instanceof DOMException) throw new TypeError(`no answer: ${error.message}`, { cause: error })
    throw error
  }
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  const parts: string[] = []
  let sizeBytes = 0
  // Not every browser lets a body be iterated.
  const reader = response.body?.getReader()
  for (let read = await reader?.read(); read !== undefined && !read.done; read = await reader?.read()) {
    sizeBytes += read.value.length
    if (sizeBytes > MAX_ANSWER_BYTES) {
      await reader?.cancel()
      throw new TypeError(`an answer of more than ${MAX_ANSWER_BYTES} bytes`)
    }
    parts.push(decoder.decode(read.value, { stream: true }))
  }
  return parts.join('')
}

function parseAnswer(text: string): Answer | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && ('result' in value || 'error' in value) ? value : undefined
  } catch {
    return undefined // no JSON: the caller says with which status it came
  }
}

function faultOf(error: unknown): RpcFault {
  const { code, message, data } = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>
  if (typeof code !== 'number') throw new TypeError('an error without a code')
  return new RpcFault(typeof message === 'string' ? message : 'no reason given', { code, data })
}

function limited(response: Response): RpcFault {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  const retryAfterMs = Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1_000, MAX_RETRY_AFTER_MS) : 0
  return new RpcFault('too many requests', { code: LIMIT_EXCEEDED_CODE, ...(retryAfterMs > 0 && { retryAfterMs }) })
}
