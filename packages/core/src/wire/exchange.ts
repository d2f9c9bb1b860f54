import type { MoneyContracts } from '../billing/index.ts'
import type { Address, ByteStream } from '../bytes/index.ts'
import { assert, MemoError } from '../errors/index.ts'
import type { Network, Signer } from '../keys/index.ts'
import type { UnitHasher } from '../piece/index.ts'
import type { Clock, Randomness, Timers, Transport, WireRequest, WireResponse } from '../ports.ts'
import { signRequest } from './signed-request.ts'

/** A node did not answer in the time that the exchange may take. */
export class DeadlineError extends MemoError {
  override readonly name: string = 'DeadlineError'
}

/** A node could not be reached, or the connection to it broke before its answer was complete. */
export class UnreachableError extends MemoError {
  override readonly name: string = 'UnreachableError'
}

/** What a client of a node needs of the world. */
export type ClientPorts = {
  readonly network: Network
  readonly transport: Transport
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Randomness
  /** Signs what changes state; absent for clients that only read. */
  readonly signer?: Signer | undefined
  /** Where orders and vouchers count; absent for clients that settle nothing. */
  readonly money?: MoneyContracts | undefined
  /** Where bytes that were read are hashed; in this thread where nothing is said. */
  readonly hashUnits?: UnitHasher | undefined
}

/** The node at the other end. */
export type Peer = {
  readonly role: 'provider' | 'keeper'
  readonly address: Address
  /** Base URL without a slash at its end. */
  readonly endpoint: string
}

/** Ends a deadline's timer. Without a reason of ours each abort would make an error with its stack. */
const FINISHED = 'the work is done'

export type ExchangeRequest = {
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | ByteStream
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  readonly signed?: boolean
  /** The body is signed as one that streams, also where it is in memory: the other side checks it so. */
  readonly streams?: boolean
  /** Where the body of the answer may be put. */
  readonly memory?: WireRequest['memory']
}

/**
 * Sends one request and hands the answer to `use`, all before the deadline (`spec/wire.md` 1). Errors:
 * {@link DeadlineError}; {@link UnreachableError}; what `use` and the transport throw; the caller's abort reason.
 */
export async function exchange<T>(
  ports: ClientPorts,
  peer: Peer,
  request: ExchangeRequest,
  use: (response: WireResponse) => Promise<T>,
): Promise<T> {
  const { method, path, body, timeoutMs, signal, memory } = request
  assert(!request.signed || ports.signer, `a signer for ${method} ${path}`)
  const signature =
    request.signed && ports.signer
      ? await signRequest(
          { ...ports, signer: ports.signer },
          { method, path, body: signedBodyOf(request) },
          peer.address,
        )
      : {}
  return await withDeadline(
    ports.timers,
    timeoutMs,
    signal,
    () => deadlineError(peer, request),
    async (inner) => {
      const headers = { ...request.headers, ...signature }
      const url = `${peer.endpoint}${path}`
      return await use(await ports.transport({ method, url, headers, body, signal: inner, memory }))
    },
  )
}

/**
 * Runs `work` with a signal that is aborted by `signal`, or after `timeoutMs` with `late()` as its reason. Rejects
 * at that moment even when `work` ignores the signal.
 */
export async function withDeadline<T>(
  timers: Timers,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  late: () => Error,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const controller = new AbortController()
  const finished = new AbortController()
  const forward = () => controller.abort(signal?.reason)
  signal?.addEventListener('abort', forward, { once: true })
  timers.sleep(timeoutMs, finished.signal).then(
    () => controller.abort(late()),
    () => undefined, // the work ended first
  )
  try {
    return await new Promise<T>((resolve, reject) => {
      controller.signal.addEventListener('abort', () => reject(controller.signal.reason), { once: true })
      work(controller.signal).then(resolve, reject) // after a deadline nobody listens any more
    })
  } finally {
    finished.abort(FINISHED)
    signal?.removeEventListener('abort', forward)
  }
}

function signedBodyOf({ body, streams }: ExchangeRequest): Uint8Array | 'stream' {
  if (body === undefined) return new Uint8Array(0)
  return body instanceof Uint8Array && !streams ? body : 'stream'
}

function deadlineError(peer: Peer, request: ExchangeRequest): DeadlineError {
  const what = `${request.method} ${request.path.split('?')[0]}`
  return new DeadlineError(`${peer.role} ${peer.address} did not finish ${what} within ${request.timeoutMs} ms`, {
    blame: peer.role,
    retry: 'now',
    details: { [peer.role]: peer.address, endpoint: peer.endpoint, timeoutMs: request.timeoutMs },
  })
}
