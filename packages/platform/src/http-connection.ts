import { connect, type Socket } from 'node:net'
import { assert, type ByteStream, type WireRequest, type WireResponse } from '@memo/core'
import { type AnswerHead, createChunkedReader, MalformedAnswerError, parseAnswerHead } from './http-head.ts'

/** What a socket's bytes go to where nothing larger waits for them. */
const SCRATCH_BYTES = 16_384
const MAX_HEAD_BYTES = 65_536
/** A body of this length at the most is read into one piece of memory; a strip is shorter. */
const WHOLE_BYTES = 2_097_152
/** Of a longer body so much is read at once. */
const PIECE_BYTES = 65_536
/** Bytes of a longer body that wait for their reader, above which the sender is held back. */
const AHEAD_BYTES = 262_144
const NOTHING = new Uint8Array(0)

/** The other side broke the connection, or never answered. */
class BrokenConnectionError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

export type ConnectionOptions = {
  readonly host: string
  readonly port: number
  readonly connectTimeoutMs: number
  /** A request on which nothing moves for so long fails. */
  readonly silenceTimeoutMs: number
  /** Told once, when the connection can carry another request (`isFree`), or is no more. */
  readonly onIdle: (isFree: boolean) => void
}

export type OutgoingRequest = {
  readonly method: string
  readonly head: string
  readonly body: Uint8Array | undefined
  readonly signal: AbortSignal | undefined
  readonly memory: WireRequest['memory']
}

/** A connection that carries one request at a time. */
export type Connection = {
  /** Whether it has carried a request: then it may have been closed by the other side meanwhile. */
  readonly isUsed: boolean
  /** Whether an answer to the last request has begun. */
  readonly hasAnswered: boolean
  /** Resolves with the head; the body follows. Rejects with the signal's reason, or whatever broke the connection. */
  run(request: OutgoingRequest): Promise<WireResponse>
  /** Stays open for so long without a request. */
  rest(ms: number): void
  destroy(): void
}

/**
 * Opens a connection. Bodies of known length are read straight into memory of that length: nothing is copied, and no buffers
 * are left behind in the size of what a socket happens to deliver (`spec/performance.md` 6).
 */
export function openConnection(options: ConnectionOptions): Connection {
  const scratch = new Uint8Array(SCRATCH_BYTES)
  let exchange: Exchange | undefined
  let isUsed = false
  let hasAnswered = false
  let isOver = false
  const socket = connect({
    host: options.host,
    port: options.port,
    noDelay: true,
    onread: {
      buffer: () => exchange?.target() ?? scratch,
      callback(length, buffer) {
        hasAnswered = true
        if (exchange) return exchange.take(buffer, length)
        end() // bytes that nobody asked for: whose answer they are is unknown
        return false
      },
    },
  })
  const end = (error?: Error) => {
    if (isOver) return
    isOver = true
    clearTimeout(connecting)
    socket.destroy()
    const broken = exchange
    exchange = undefined
    broken?.fail(error ?? new BrokenConnectionError('ECONNRESET', 'the connection ended before the answer did'))
    options.onIdle(false)
  }
  const late = () => end(new BrokenConnectionError('ETIMEDOUT', 'nothing came for too long'))
  const connecting = setTimeout(late, options.connectTimeoutMs)
  socket.once('connect', () => clearTimeout(connecting))
  socket.on('timeout', late)
  socket.on('error', end)
  socket.on('end', () => {
    if (exchange?.endsWithConnection()) exchange.finish()
    end()
  })
  socket.on('close', () => end())
  const free = (isKept: boolean) => {
    exchange = undefined
    if (!isKept || isOver) end()
    else options.onIdle(true)
  }
  return {
    get isUsed() {
      return isUsed
    },
    get hasAnswered() {
      return hasAnswered
    },
    async run({ method, head, body, signal, memory }) {
      signal?.throwIfAborted()
      if (isOver) throw new BrokenConnectionError('ECONNRESET', 'the connection is closed')
      socket.ref()
      socket.setTimeout(options.silenceTimeoutMs)
      return await new Promise<WireResponse>((resolve, reject) => {
        exchange = new Exchange({ method, socket, signal, memory, resolve, reject, free, end })
        isUsed = true
        hasAnswered = false
        socket.cork()
        socket.write(head, 'latin1')
        if (body && body.length > 0) socket.write(body)
        socket.uncork()
      })
    },
    rest(ms) {
      socket.setTimeout(ms)
      socket.unref()
    },
    destroy: () => end(),
  }
}

type ExchangeOptions = {
  readonly method: string
  readonly socket: Socket
  readonly signal: AbortSignal | undefined
  readonly memory: WireRequest['memory']
  readonly resolve: (response: WireResponse) => void
  readonly reject: (reason: unknown) => void
  readonly free: (isKept: boolean) => void
  readonly end: (error?: Error) => void
}

/** One answer as it comes in. */
class Exchange {
  readonly #options: ExchangeOptions
  #raw = NOTHING
  #head: AnswerHead | undefined
  /** Memory for the next bytes of a longer body. */
  #piece: Uint8Array | undefined
  /** Memory for a whole body, and how much of it is filled. */
  #whole: Uint8Array | undefined
  #filled = 0
  readonly #chunked = createChunkedReader()
  readonly #ahead: Uint8Array[] = []
  #aheadBytes = 0
  #leftBytes = 0
  #isEnded = false
  #failure: { readonly reason: unknown } | undefined
  #wake: () => void = () => undefined

  constructor(options: ExchangeOptions) {
    this.#options = options
    options.signal?.addEventListener('abort', this.#abort, { once: true })
  }

  /** Where the next bytes of the body belong. */
  target(): Uint8Array | undefined {
    if (this.#isEnded) return undefined
    if (this.#whole) return this.#whole.subarray(this.#filled)
    if (this.#leftBytes === 0) return undefined
    this.#piece = new Uint8Array(Math.min(PIECE_BYTES, this.#leftBytes))
    return this.#piece
  }

  /** False to hold the sender back. */
  take(buffer: Uint8Array, length: number): boolean {
    try {
      if (this.#whole) this.#fill(length)
      else if (this.#head) this.#takeBody(this.#piece ? buffer.subarray(0, length) : buffer.slice(0, length))
      else this.#takeHead(buffer.subarray(0, length))
    } catch (error) {
      this.#options.end(error as Error)
    }
    return this.#aheadBytes <= AHEAD_BYTES
  }

  endsWithConnection(): boolean {
    return this.#head?.length === 'until-end'
  }

  /** The body has come to its end. */
  finish(): void {
    this.#isEnded = true
    this.#options.signal?.removeEventListener('abort', this.#abort)
    this.#options.free(this.#head?.isKept ?? false)
    this.#wake()
  }

  fail(reason: unknown): void {
    this.#options.signal?.removeEventListener('abort', this.#abort)
    this.#failure ??= { reason }
    this.#options.reject(this.#failure.reason)
    this.#wake()
  }

  readonly #abort = (): void => {
    this.#failure = { reason: this.#options.signal?.reason }
    this.#options.end()
  }

  #takeHead(bytes: Uint8Array): void {
    const before = this.#raw.length
    const raw = new Uint8Array(before + bytes.length)
    raw.set(this.#raw)
    raw.set(bytes, before)
    this.#raw = raw
    const at = endOfHead(raw, before)
    if (at < 0) {
      if (raw.length > MAX_HEAD_BYTES) throw new MalformedAnswerError('an endless head')
      return
    }
    const head = parseAnswerHead(Buffer.from(raw.buffer, 0, at).toString('latin1'), this.#options.method)
    const rest = raw.subarray(at + 4)
    this.#raw = NOTHING
    if (head.status === 101) throw new MalformedAnswerError('another protocol than was asked for')
    if (head.status < 200) {
      if (rest.length > 0) this.#takeHead(rest)
      return
    }
    this.#begin(head, rest)
  }

  #begin(head: AnswerHead, rest: Uint8Array): void {
    this.#head = head
    this.#options.resolve({ status: head.status, headers: head.headers, body: this.#body() })
    if (typeof head.length !== 'number') this.#takeBody(rest)
    else if (rest.length > head.length) throw new MalformedAnswerError('bytes behind an answer')
    else if (head.length <= WHOLE_BYTES) {
      this.#whole = this.#memoryOf(head.length)
      this.#whole.set(rest)
      this.#fill(rest.length)
    } else {
      this.#leftBytes = head.length
      this.#takeBody(rest)
    }
  }

  #memoryOf(length: number): Uint8Array {
    const memory = this.#options.memory?.(length) ?? new Uint8Array(length)
    assert(memory.length === length, 'memory of the length that was asked for')
    return memory
  }

  #fill(length: number): void {
    this.#filled += length
    if (this.#whole && this.#filled === this.#whole.length) this.finish()
  }

  #takeBody(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    if (this.#head?.length === 'chunked') {
      if (this.#chunked.feed(bytes, (data) => this.#push(data))) this.finish()
      return
    }
    if (this.#head?.length !== 'until-end') {
      if (bytes.length > this.#leftBytes) throw new MalformedAnswerError('bytes behind an answer')
      this.#leftBytes -= bytes.length
    }
    this.#push(bytes)
    if (this.#leftBytes === 0 && this.#head?.length !== 'until-end') this.finish()
  }

  #push(bytes: Uint8Array): void {
    this.#ahead.push(bytes)
    this.#aheadBytes += bytes.length
    this.#wake()
  }

  /** The next bytes for the reader; undefined at the end. */
  async #next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const bytes = this.#shift()
      if (bytes) return bytes
      if (this.#isEnded) return undefined
      if (this.#failure) throw this.#failure.reason
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #shift(): Uint8Array | undefined {
    const whole = this.#whole
    if (whole && this.#isEnded) {
      this.#whole = undefined
      return whole.length > 0 ? whole : undefined
    }
    const bytes = this.#ahead.shift()
    if (!bytes) return undefined
    const wasFull = this.#aheadBytes > AHEAD_BYTES
    this.#aheadBytes -= bytes.length
    if (wasFull && this.#aheadBytes <= AHEAD_BYTES && !this.#isEnded) this.#options.socket.resume()
    return bytes
  }

  /** Can be cancelled before its first read, which a generator could not. */
  #body(): ByteStream {
    return {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          const value = await this.#next()
          return value ? { done: false, value } : { done: true, value: undefined }
        },
        return: async () => {
          if (!this.#isEnded) this.#options.end()
          this.#whole = undefined
          this.#ahead.length = 0
          return { done: true, value: undefined }
        },
      }),
    }
  }
}

/** Where the head ends in `raw`, of which the first `before` bytes were looked at; −1 where it does not. */
function endOfHead(raw: Uint8Array, before: number): number {
  for (let at = raw.indexOf(10, Math.max(0, before - 1)); at >= 0; at = raw.indexOf(10, at + 1)) {
    if (at >= 3 && raw[at - 1] === 13 && raw[at - 2] === 10 && raw[at - 3] === 13) return at - 3
  }
  return -1
}
