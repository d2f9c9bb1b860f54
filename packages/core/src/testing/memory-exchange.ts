import type { ByteStream } from '../bytes/index.ts'
import type { Timers, WireRequest, WireResponse } from '../ports.ts'
import { errorResponse, UnreachableError } from '../wire/index.ts'
import type { Link, Listener } from './memory-network.ts'
import type { SeededRandomness } from './seeded.ts'
import type { Trace } from './trace.ts'

/** Where one exchange of a memory network happens. */
export type ExchangeWorld = {
  readonly from: string
  readonly endpoint: string
  readonly link: Link
  readonly timers: Timers
  readonly random: SeededRandomness
  readonly trace: Trace | undefined
}

/** Where an exchange breaks, if it does. */
type Break = 'nowhere' | 'before-request' | 'before-answer' | 'in-answer'
const BREAKS: readonly Break[] = ['before-request', 'before-answer', 'in-answer']

/** One request and its answer over one link, with the faults of the link. */
export async function runExchange(
  world: ExchangeWorld,
  listener: Listener | undefined,
  request: WireRequest,
): Promise<WireResponse> {
  const { link, random, endpoint } = world
  request.signal?.throwIfAborted()
  const path = request.url.slice(endpoint.length)
  const note = (what: string) => world.trace?.record(`${world.from} → ${endpoint} ${request.method} ${path}: ${what}`)
  const broken = (why: string) => {
    note(why)
    return new UnreachableError(`${endpoint} cannot be reached: ${why}`, {
      blame: listener?.blame ?? 'provider',
      retry: 'now',
      details: { endpoint },
    })
  }
  const breaks: Break = random.chance(link.breakRate) ? random.pick(BREAKS) : 'nowhere'
  const corrupts = random.chance(link.corruptRate)

  await travel(world, request.signal)
  if (link.state === 'refused' || !listener || listener.down.signal.aborted) throw broken('nothing listens there')
  if (breaks === 'before-request') throw broken('the connection broke before the request arrived')
  const ends = createEnds(request.signal, listener.down.signal, () => broken('it went down'))
  if (link.state === 'silent') return await ends.race(new Promise<never>(() => undefined))

  const upload = request.body === undefined ? undefined : sendBody(request.body, world, ends)
  const gone = new AbortController()
  ends.onEnd((reason) => gone.abort(reason))
  const arrived: WireRequest = {
    method: request.method,
    url: path,
    headers: { ...request.headers },
    body: upload?.stream,
    signal: gone.signal,
  }
  const answered = listener.handler(arrived).catch(errorResponse)
  let response: WireResponse
  try {
    response = await ends.race(answered)
    if (breaks === 'before-answer') throw broken('the connection broke before the answer')
    await ends.race(travel(world, request.signal))
  } catch (error) {
    gone.abort(error)
    await upload?.close()
    answered.then((late) => late.body[Symbol.asyncIterator]().return?.()).catch(() => undefined) // nobody reads it
    ends.release()
    throw error
  }
  note(`${response.status}`)
  const fail = breaks === 'in-answer' ? () => broken('the connection broke in the middle of the answer') : undefined
  return {
    status: response.status,
    headers: { ...response.headers },
    body: receiveBody(response.body, { world, ends, upload, gone, corrupts, fail, isHead: request.method === 'HEAD' }),
  }
}

/** How an exchange ends early: its sender leaves or has nothing more to send, or the node goes down. */
type Ends = {
  /** `work`, or a rejection as soon as the exchange has ended early. */
  race<T>(work: Promise<T>): Promise<T>
  onEnd(run: (reason: unknown) => void): void
  end(reason: unknown): void
  release(): void
}

function createEnds(sender: AbortSignal | undefined, down: AbortSignal, downError: () => Error): Ends {
  const waiting = new Set<(reason: unknown) => void>()
  let ended: { readonly reason: unknown } | undefined
  const end = (reason: unknown) => {
    ended ??= { reason }
    release()
    for (const run of [...waiting]) run(ended.reason)
    waiting.clear()
  }
  const onSender = () => end(sender?.reason)
  const onDown = () => end(downError())
  const release = () => {
    sender?.removeEventListener('abort', onSender)
    down.removeEventListener('abort', onDown)
  }
  sender?.addEventListener('abort', onSender, { once: true })
  down.addEventListener('abort', onDown, { once: true })
  return {
    race: (work) =>
      new Promise((resolve, reject) => {
        if (ended) {
          work.catch(() => undefined) // the exchange is over: nobody waits for what comes of it
          reject(ended.reason)
          return
        }
        waiting.add(reject)
        work.then(resolve, reject).finally(() => waiting.delete(reject))
      }),
    onEnd: (run) => (ended ? run(ended.reason) : void waiting.add(run)),
    end,
    release,
  }
}

/** A request body as the other side reads it; closed when the answer ends before it does. */
type Upload = { readonly stream: ByteStream; close(): Promise<void> }

function sendBody(source: Uint8Array | ByteStream, world: ExchangeWorld, ends: Ends): Upload {
  const parts = source instanceof Uint8Array ? streamOf(source) : source[Symbol.asyncIterator]()
  let finished = false
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    const step = await ends.race(
      parts.next().catch((error: unknown) => {
        finished = true
        ends.end(error) // a source that fails is the sender's matter, whatever the other side makes of it
        throw error
      }),
    )
    if (step.done) {
      finished = true
      return { done: true, value: undefined }
    }
    const copy = step.value.slice()
    await ends.race(flow(world, copy.length))
    return { done: false, value: copy }
  }
  const close = async () => {
    if (finished) return
    finished = true
    await parts.return?.()
  }
  const stream: ByteStream = {
    [Symbol.asyncIterator]: () => ({
      next,
      async return() {
        await close()
        return { done: true, value: undefined }
      },
    }),
  }
  return { stream, close }
}

/** An answer's body as its reader gets it: later, perhaps altered, perhaps cut off. */
function receiveBody(
  source: ByteStream,
  options: {
    readonly world: ExchangeWorld
    readonly ends: Ends
    readonly upload: Upload | undefined
    /** What the handler sees of a reader that stops early. */
    readonly gone: AbortController
    readonly corrupts: boolean
    readonly fail: (() => Error) | undefined
    readonly isHead: boolean
  },
): ByteStream {
  const { world, ends, fail } = options
  const parts = source[Symbol.asyncIterator]()
  let { corrupts } = options
  let finished = false
  const finish = async () => {
    if (finished) return
    finished = true
    ends.release()
    await parts.return?.()
    await options.upload?.close()
  }
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        if (options.isHead) await finish()
        if (finished) return { done: true, value: undefined }
        try {
          const step = await ends.race(parts.next())
          if (fail) throw fail()
          if (step.done) {
            await finish()
            return { done: true, value: undefined }
          }
          const copy = step.value.slice()
          await ends.race(flow(world, copy.length))
          if (corrupts && copy.length > 0) {
            copy[world.random.int(copy.length)]! ^= 1 << world.random.int(8)
            corrupts = false
          }
          return { done: false, value: copy }
        } catch (error) {
          await finish()
          throw error
        }
      },
      async return() {
        if (!finished) options.gone.abort()
        await finish()
        return { done: true, value: undefined }
      },
    }),
  }
}

async function travel({ link, random, timers }: ExchangeWorld, signal: AbortSignal | undefined): Promise<void> {
  const ms = link.delayMs + (link.jitterMs > 0 ? random.int(link.jitterMs + 1) : 0)
  if (ms > 0) await timers.sleep(ms, signal)
}

async function flow({ link, timers }: ExchangeWorld, bytes: number): Promise<void> {
  if (link.bytesPerMs > 0 && bytes > 0) await timers.sleep(bytes / link.bytesPerMs)
}

async function* streamOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes
}
