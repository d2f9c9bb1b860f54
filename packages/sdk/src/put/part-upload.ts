import {
  type Address,
  assert,
  combineUnits,
  createTurns,
  type EncodedStripe,
  type ErasurePolicy,
  type PieceDigest,
  type ProviderClient,
  type Receipt,
} from '@memo/core'
import type { StorageContext } from '../context.ts'
import { type NodeFault, nodeFault, UploadFailedError } from '../errors.ts'
import { createNotifier } from '../flow/notifier.ts'
import { isOwnFault } from '../orders/errors.ts'
import type { Chooser } from './chooser.ts'
import { leastPiecesOf, planDrops } from './lag.ts'
import { sendPiece, TooSlowError } from './piece-sender.ts'
import type { OutStripe } from './stripes.ts'

/** Stripes of a part that were handed out and not yet taken by all: what a slow line has to carry at the end. */
const STRIPES_UNDER_WAY = 2

/** One piece of a part on its way to one provider. */
type Lane = {
  readonly index: number
  provider: ProviderClient | undefined
  phase: 'sending' | 'storing' | 'stored' | 'failed'
  /** Strips taken. */
  position: number
  busySinceMs: number | undefined
  /** How long the others have waited for it. */
  heldMs: number
  attempts: number
  control: AbortController
  receipt: Receipt | undefined
}

/** What became of a part when its last stripe had been sent. */
export type SentPart = {
  readonly sizeBytes: number
  /** By piece. */
  readonly digests: readonly PieceDigest[]
  readonly stored: ReadonlyMap<number, { readonly provider: ProviderClient; readonly receipt: Receipt }>
  readonly faults: readonly NodeFault[]
  /** Providers that had a part in it, and must not get another piece. */
  readonly tried: readonly Address[]
}

/** A part that is being sent: k + m lanes, one for each piece. */
export type PartUpload = {
  readonly sizeBytes: number
  readonly openedMs: number
  /** Hands a stripe to all lanes; waits while they are behind. Errors: {@link UploadFailedError}; the signal's reason. */
  push(stripe: OutStripe): Promise<void>
  /** Gives up the memory of stripes that all lanes have taken; they cannot be sent again afterwards. */
  reclaim(): void
  /** Ends the part and waits for its lanes. Errors as for `push`. */
  finish(): Promise<SentPart>
  /** Stops all lanes and waits until they have stopped; returns what was stored by then. */
  abort(reason: unknown): Promise<SentPart['stored']>
}

export type PartUploadOptions = ErasurePolicy & {
  readonly chooser: Chooser
  /** At least k + ⌈m/2⌉ of them; pieces without one are made later. */
  readonly providers: readonly ProviderClient[]
  readonly maxPieceBytes: number
  /** As of an {@link OutgoingPiece}. */
  readonly mayBeShared: boolean
  /** Whether somebody waits for a stripe's memory. */
  readonly isMemoryWanted: () => boolean
  readonly onStored: () => void
  readonly signal: AbortSignal
}

/** Opens a part (`spec/sdk.md` 3 and 4): one upload for each provider, fed with strips as they are made. */
export function openPart(context: StorageContext, options: PartUploadOptions): PartUpload {
  return new PartLanes(context, options)
}

class PartLanes implements PartUpload {
  sizeBytes = 0
  readonly openedMs: number
  readonly #context: StorageContext
  readonly #options: PartUploadOptions
  readonly #lanes: Lane[]
  readonly #running: Promise<void>[]
  readonly #changed = createNotifier()
  /** Stripes that can still be sent; undefined where the memory was given up. */
  readonly #stripes: (OutStripe | undefined)[] = []
  readonly #units: Pick<EncodedStripe, 'units' | 'stripBytes'>[] = []
  readonly #faults: NodeFault[] = []
  readonly #tried = new Set<Address>()
  readonly #turns = createTurns()
  #digests: readonly PieceDigest[] = []
  #isEnded = false
  #isAborted = false
  #pushedMs: number
  #lookedMs: number
  /** What enough lanes needed for all stripes so far. */
  #tookMs = 0
  #isEnoughAhead = false
  /** Why this account cannot pay for another piece. */
  #broke: unknown
  /** Other providers that could take a piece; undefined as long as nobody asked. */
  #spares: number | undefined

  constructor(context: StorageContext, options: PartUploadOptions) {
    this.#context = context
    this.#options = options
    this.openedMs = context.ports.clock.nowMs()
    this.#pushedMs = this.openedMs
    this.#lookedMs = this.openedMs
    this.#lanes = Array.from({ length: options.dataShards + options.parityShards }, (_, index) => ({
      index,
      provider: options.providers[index],
      phase: options.providers[index] ? 'sending' : 'failed',
      position: 0,
      busySinceMs: undefined,
      heldMs: 0,
      attempts: 1,
      control: new AbortController(),
      receipt: undefined,
    }))
    for (const provider of options.providers) this.#tried.add(provider.address)
    this.#running = this.#lanes.map(async (lane) => await this.#run(lane))
  }

  async push(stripe: OutStripe): Promise<void> {
    this.#stripes.push(stripe)
    this.#units.push({ units: stripe.units, stripBytes: stripe.stripBytes })
    this.sizeBytes += stripe.storedBytes
    this.#beginRace()
    await this.#watch(() => this.#stripes.length - this.#lowest() < STRIPES_UNDER_WAY)
  }

  reclaim(): void {
    if (!this.#options.isMemoryWanted()) return
    this.#release(this.#lowest())
  }

  async finish(): Promise<SentPart> {
    this.#isEnded = true
    this.#digests = combineUnits(this.#units)
    this.#beginRace()
    await this.#watch(() => this.#live().every((lane) => lane.phase === 'stored'))
    await Promise.all(this.#running)
    this.#release(this.#stripes.length)
    return {
      sizeBytes: this.sizeBytes,
      digests: this.#digests,
      stored: this.#stored(),
      faults: this.#faults,
      tried: [...this.#tried],
    }
  }

  async abort(reason: unknown): Promise<SentPart['stored']> {
    this.#isEnded = true
    this.#isAborted = true
    for (const lane of this.#lanes) lane.control.abort(reason)
    this.#changed.notify()
    await Promise.all(this.#running)
    this.#release(this.#stripes.length)
    return this.#stored()
  }

  #beginRace(): void {
    this.#pushedMs = this.#context.ports.clock.nowMs()
    this.#isEnoughAhead = false
    this.#changed.notify()
  }

  /** Waits until `isDone`; meanwhile drops lanes that are too slow, and gives up when too few are left. */
  async #watch(isDone: () => boolean): Promise<void> {
    const { limits, ports } = this.#context
    for (;;) {
      this.#options.signal.throwIfAborted()
      this.#throwIfBroke()
      await this.#lookForSpares()
      this.#dropSlow()
      this.reclaim()
      const left = this.#live().length
      if (left < this.#options.dataShards) {
        throw new UploadFailedError(leastPiecesOf(this.#options), left, this.#faults)
      }
      if (isDone()) return
      await this.#changed.waitAtMost(ports.timers, limits.lagCheckMs, this.#options.signal)
    }
  }

  /** Counts once who could take over, when k lanes are ahead and too few for a slow one to be done without. */
  async #lookForSpares(): Promise<void> {
    const { dataShards, parityShards, chooser, signal } = this.#options
    const ahead = this.#live().filter((lane) => this.#isAhead(lane)).length
    const waitedMs = this.#context.ports.clock.nowMs() - this.#pushedMs
    if (this.#spares !== undefined || ahead < dataShards || waitedMs <= this.#context.limits.lagMs) return
    if (ahead >= leastPiecesOf(this.#options)) return
    this.#spares = 0
    this.#spares = (await chooser.propose(parityShards, [...this.#tried], signal)).length
  }

  #dropSlow(): void {
    const nowMs = this.#context.ports.clock.nowMs()
    const needed = Math.max(this.#options.dataShards, leastPiecesOf(this.#options) - (this.#spares ?? 0))
    const live = this.#live()
    const behind = live.filter((lane) => !this.#isAhead(lane))
    if (this.#isEnoughAhead) for (const lane of behind) lane.heldMs += nowMs - this.#lookedMs
    else if (live.length - behind.length >= needed) {
      this.#isEnoughAhead = true
      this.#tookMs += nowMs - this.#pushedMs
    }
    this.#lookedMs = nowMs
    for (const lane of planDrops({ behind, nowMs, tookMs: this.#tookMs }, this.#context.limits)) {
      const details = { stripsTaken: lane.position, stripsSent: this.#stripes.length, heldMs: lane.heldMs }
      lane.control.abort(new TooSlowError(lane.provider?.address ?? '', details))
    }
  }

  #isAhead(lane: Lane): boolean {
    return this.#isEnded ? lane.phase === 'stored' : lane.position >= this.#stripes.length
  }

  async #run(lane: Lane): Promise<void> {
    while (lane.provider) {
      const provider = lane.provider
      try {
        lane.receipt = await this.#send(lane, provider)
        lane.phase = 'stored'
        lane.busySinceMs = undefined
        this.#options.onStored()
        this.#changed.notify()
        return
      } catch (thrown) {
        lane.control.abort(thrown) // whoever still reads the lane's strips must not move it any more
        if (this.#isAborted || this.#options.signal.aborted) break
        if (isOwnFault(thrown)) {
          this.#broke = thrown
          break
        }
        this.#blame(provider, thrown)
      }
      lane.provider = await this.#replace(lane)
    }
    lane.phase = 'failed'
    lane.busySinceMs = undefined
    this.reclaim()
    this.#changed.notify()
  }

  async #send(lane: Lane, provider: ProviderClient): Promise<Receipt> {
    lane.position = 0
    lane.heldMs = 0
    lane.phase = 'sending'
    lane.control = new AbortController()
    const signal = AbortSignal.any([lane.control.signal, this.#options.signal])
    const piece = {
      body: this.#strips(lane, signal),
      maxBytes: this.#options.maxPieceBytes,
      findDigest: () => this.#digests[lane.index],
      mayBeShared: this.#options.mayBeShared,
    }
    return await sendPiece(this.#context, provider, piece, signal)
  }

  async *#strips(lane: Lane, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { clock } = this.#context.ports
    for (;;) {
      while (lane.position >= this.#stripes.length && !this.#isEnded) await this.#changed.wait(signal)
      signal.throwIfAborted()
      lane.busySinceMs = clock.nowMs()
      if (lane.position >= this.#stripes.length) break
      const stripe = this.#stripes[lane.position]
      assert(stripe, 'a stripe is kept until every lane has taken it')
      yield stripe.strips[lane.index]!
      signal.throwIfAborted()
      lane.position++
      lane.busySinceMs = undefined
      this.reclaim()
      this.#changed.notify()
    }
    lane.phase = 'storing'
  }

  /** Another provider for a lane that failed, as long as all that was sent is still there to be sent again. */
  async #replace(lane: Lane): Promise<ProviderClient | undefined> {
    const canRestart = () => this.#stripes.length === 0 || this.#stripes[0] !== undefined
    if (!canRestart() || lane.attempts >= this.#context.limits.pieceAttempts) return undefined
    lane.attempts++
    lane.position = 0
    lane.phase = 'sending'
    lane.busySinceMs = this.#context.ports.clock.nowMs()
    try {
      const provider = await this.#turns('', async () => await this.#proposeOne())
      return canRestart() ? provider : undefined
    } catch (thrown) {
      if (this.#options.signal.aborted) return undefined
      this.#faults.push(nodeFault('keeper', '0x', thrown))
      return undefined
    }
  }

  /** One at a time, so that two lanes never get the same provider. */
  async #proposeOne(): Promise<ProviderClient | undefined> {
    const [provider] = await this.#options.chooser.propose(1, [...this.#tried], this.#options.signal)
    if (provider) this.#tried.add(provider.address)
    return provider
  }

  #blame(provider: ProviderClient, thrown: unknown): void {
    const fault = nodeFault('provider', provider.address, thrown)
    this.#faults.push(fault)
    this.#context.suspects.add(provider.address)
    this.#context.onFault(fault)
  }

  /** Without money no other provider would help. */
  #throwIfBroke(): void {
    const left = this.#live().length
    if (this.#broke !== undefined && left < leastPiecesOf(this.#options)) throw this.#broke
  }

  #live(): Lane[] {
    return this.#lanes.filter((lane) => lane.phase !== 'failed')
  }

  /** Stripes that every lane has taken. */
  #lowest(): number {
    return Math.min(this.#stripes.length, ...this.#live().map((lane) => lane.position))
  }

  #release(count: number): void {
    for (let i = 0; i < count; i++) {
      this.#stripes[i]?.recycle()
      this.#stripes[i] = undefined
    }
  }

  #stored(): Map<number, { provider: ProviderClient; receipt: Receipt }> {
    const stored = new Map<number, { provider: ProviderClient; receipt: Receipt }>()
    for (const { index, provider, receipt } of this.#lanes) {
      if (provider && receipt) stored.set(index, { provider, receipt })
    }
    return stored
  }
}
