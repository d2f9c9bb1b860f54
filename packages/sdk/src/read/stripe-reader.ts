import { createCoder, MemoError, type PartGeometry } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { NotEnoughPiecesError } from '../errors.ts'
import { createNotifier } from '../flow/notifier.ts'
import type { PieceReaders } from './pieces.ts'
import { hullOf, type StripePlan, type StripSlice } from './plan.ts'

/** A strip, or a stretch of one, that was asked for. */
type Request = {
  readonly piece: number
  readonly from: number
  readonly to: number
  readonly startedMs: number
  readonly control: AbortController
  state: 'running' | 'done' | 'failed'
  bytes: Uint8Array | undefined
  endedMs: number
}

/** Why a strip is given up that is still on its way when there are enough others. */
const NOT_NEEDED = 'other strips came first'

/**
 * Reads the data of one stripe (`spec/sdk.md` 10): the strips that hold it, each checked against its piece's root. For
 * one that fails or is late, others are read until k strips of the same stretch are there and the missing one can be
 * decoded. Resolves with the planned slices in order.
 *
 * @throws NotEnoughPiecesError, naming every piece that failed; the signal's reason
 */
export async function readStripe(
  context: StorageContext,
  pieces: PieceReaders,
  geometry: PartGeometry,
  plan: StripePlan,
  signal: AbortSignal,
): Promise<Uint8Array[]> {
  const reading = new StripeReading(context, pieces, geometry, plan, signal)
  try {
    return await reading.run()
  } finally {
    await reading.stop()
  }
}

class StripeReading {
  readonly #context: StorageContext
  readonly #pieces: PieceReaders
  readonly #geometry: PartGeometry
  readonly #plan: StripePlan
  readonly #signal: AbortSignal
  readonly #requests: Request[] = []
  readonly #running: Promise<void>[] = []
  readonly #changed = createNotifier()
  /** What is no fault of a node, but of our own code. */
  #broken: { readonly thrown: unknown } | undefined

  constructor(
    context: StorageContext,
    pieces: PieceReaders,
    geometry: PartGeometry,
    plan: StripePlan,
    signal: AbortSignal,
  ) {
    this.#context = context
    this.#pieces = pieces
    this.#geometry = geometry
    this.#plan = plan
    this.#signal = signal
  }

  async run(): Promise<Uint8Array[]> {
    const { limits, ports } = this.#context
    this.#signal.addEventListener('abort', this.#abort, { once: true })
    for (const { piece, from, to } of this.#plan.slices) if (this.#isWorth(piece)) this.#start(piece, from, to)
    for (;;) {
      this.#signal.throwIfAborted()
      const missing = this.#plan.slices.filter((slice) => !this.#bytesOf(slice))
      if (missing.length === 0) return this.#plan.slices.map((slice) => this.#bytesOf(slice)!)
      const decoded = this.#decode(missing)
      if (decoded) return decoded
      if (missing.some((slice) => this.#isLost(slice))) await this.#startOthers(missing)
      await this.#changed.waitAtMost(ports.timers, Math.max(1, Math.ceil(limits.hedgeMs / 4)), this.#signal)
    }
  }

  /** Ends what is still under way; who was late is remembered. */
  async stop(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#abort)
    for (const request of this.#requests) {
      if (request.state !== 'running') continue
      if (this.#isLate(request)) this.#pieces.markSlow(request.piece)
      request.control.abort(NOT_NEEDED)
    }
    await Promise.all(this.#running)
  }

  readonly #abort = (): void => {
    for (const { control } of this.#requests) control.abort(this.#signal.reason)
  }

  #start(piece: number, from: number, to: number): void {
    const { clock } = this.#context.ports
    const control = new AbortController()
    const startedMs = clock.nowMs()
    const request: Request = { piece, from, to, startedMs, control, state: 'running', bytes: undefined, endedMs: 0 }
    this.#requests.push(request)
    if (this.#signal.aborted) this.#abort()
    const { signal } = control
    const work = async () => {
      try {
        request.bytes = await this.#pieces.readStrip(piece, this.#plan.stripe, from, to, signal)
        request.state = 'done'
      } catch (thrown) {
        if (!(thrown instanceof MemoError) && !signal.aborted) this.#broken = { thrown }
        request.state = 'failed'
      }
      request.endedMs = clock.nowMs()
      this.#changed.notify()
    }
    this.#running.push(work())
  }

  #bytesOf(slice: StripSlice): Uint8Array | undefined {
    const request = this.#covering(slice).find((one) => one.piece === slice.piece)
    return request?.bytes?.subarray(slice.from - request.from, slice.to - request.from)
  }

  #covering({ from, to }: { readonly from: number; readonly to: number }): Request[] {
    return this.#requests.filter((one) => one.state === 'done' && one.from <= from && one.to >= to)
  }

  #decode(missing: readonly StripSlice[]): Uint8Array[] | undefined {
    const { from, to } = hullOf(missing)
    const present = new Map<number, Uint8Array>()
    for (const { piece, bytes, from: start } of this.#covering({ from, to })) {
      if (bytes) present.set(piece, bytes.subarray(from - start, to - start))
    }
    if (present.size < this.#geometry.dataShards) return undefined
    const wanted = missing.map((slice) => slice.piece)
    const out = wanted.map(() => new Uint8Array(to - from))
    createCoder(this.#geometry).reconstruct({ present, wanted, out })
    return this.#plan.slices.map((slice) => {
      const at = wanted.indexOf(slice.piece)
      return at < 0 ? this.#bytesOf(slice)! : out[at]!.subarray(slice.from - from, slice.to - from)
    })
  }

  /** Whether a slice is not coming from its own piece, or so late that others must be read. */
  #isLost(slice: StripSlice): boolean {
    const own = this.#requests.filter((one) => one.piece === slice.piece && one.state === 'running')
    return own.length === 0 || own.every((request) => this.#isLate(request))
  }

  #isLate({ startedMs }: Request): boolean {
    const { limits, ports } = this.#context
    const took = this.#requests.filter((one) => one.state === 'done').map((one) => one.endedMs - one.startedMs)
    const fastest = took.length === 0 ? 0 : Math.min(...took)
    return ports.clock.nowMs() - startedMs > Math.max(limits.hedgeMs, limits.lagFactor * fastest)
  }

  /** Reads the stretch from as many other pieces as are needed to decode it. */
  async #startOthers(missing: readonly StripSlice[]): Promise<void> {
    if (this.#broken) throw this.#broken.thrown
    const hull = hullOf(missing)
    const covers = (one: Request) => one.from <= hull.from && one.to >= hull.to
    const hopeful = this.#requests.filter(
      (one) => covers(one) && (one.state === 'done' || (one.state === 'running' && !this.#isLate(one))),
    )
    const needed = this.#geometry.dataShards - hopeful.length
    const others = this.#untried(hull).slice(0, needed)
    for (const piece of others) this.#start(piece, hull.from, hull.to)
    if (others.length >= needed || this.#requests.some((one) => one.state === 'running')) return
    if (await this.#pieces.widen(this.#signal)) {
      for (const piece of this.#untried(hull, true).slice(0, needed)) this.#start(piece, hull.from, hull.to)
      if (this.#requests.some((one) => one.state === 'running')) return
    }
    const present = this.#requests.filter((one) => covers(one) && one.state === 'done').length
    throw new NotEnoughPiecesError(this.#geometry.dataShards, present, this.#pieces.faults(), {
      stripe: this.#plan.stripe,
    })
  }

  /** Pieces that were not asked for this stretch yet, best first; those that failed again when `again`. */
  #untried(hull: { readonly from: number; readonly to: number }, again = false): number[] {
    const { dataShards, parityShards } = this.#geometry
    const isTried = (piece: number) =>
      this.#requests.some(
        (one) =>
          one.piece === piece &&
          ((one.from <= hull.from && one.to >= hull.to) || one.state === 'failed') &&
          !(again && one.state === 'failed'),
      )
    return Array.from({ length: dataShards + parityShards }, (_, piece) => piece)
      .filter((piece) => this.#pieces.rankOf(piece) !== undefined && !isTried(piece))
      .sort((a, b) => this.#pieces.rankOf(a)! - this.#pieces.rankOf(b)!)
  }

  /** Whether a data piece is asked first: not when its holder failed or lagged, and there are better ones. */
  #isWorth(piece: number): boolean {
    const rank = this.#pieces.rankOf(piece)
    if (rank === undefined) return false
    const { dataShards } = this.#geometry
    const better = this.#untried({ from: 0, to: 0 }).filter((other) => this.#pieces.rankOf(other)! < rank)
    return rank === 0 || better.length < dataShards
  }
}
