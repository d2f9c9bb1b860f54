import {
  type Chain,
  type Clock,
  createRequestVerifier,
  envelopeFromError,
  type Handler,
  type IndexStore,
  isForgettable,
  type Network,
  type PieceStore,
  type Randomness,
  type Signer,
  type Timers,
  type Transport,
  type UsedNonce,
} from '@memo/core'
import { type EventSink, silent } from '../events.ts'
import { type Background, createBackground } from '../server/background.ts'
import { createRouter } from '../server/router.ts'
import { createCollector } from './collection.ts'
import { createCustody } from './custody.ts'
import { PROVIDER_LIMITS, type ProviderLimits } from './limits.ts'
import type { ProviderMoney } from './money-port.ts'
import { createMoneySide } from './money-side.ts'
import { createPieceReads } from './piece-reads.ts'
import { recoverPieces, sweepOrphans } from './recovery.ts'
import { createProviderRoutes } from './routes.ts'
import { scrubPieces } from './scrub.ts'
import { createSpaceLedger } from './space.ts'
import { createUploads } from './uploads.ts'

export type ProviderOptions = {
  readonly network: Network
  readonly chain: Chain
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Randomness
  /** The provider's account: it signs receipts, and requests are signed for it. */
  readonly signer: Signer
  /** How it reaches keepers. */
  readonly transport: Transport
  /** Both are opened and closed by the caller. */
  readonly pieces: PieceStore
  readonly index: IndexStore
  /** How it settles orders and redeems vouchers; without it, nothing is collected. */
  readonly money?: ProviderMoney | undefined
  readonly log?: EventSink | undefined
  readonly limits?: Partial<ProviderLimits> | undefined
}

/** A provider over ports: it stores pieces, gives receipts for them, and serves them (`spec/provider.md`). Starts once. */
export type Provider = {
  /** Answers `spec/wire.md` 4; before `start` and after `stop` it answers {@link NotServingError}. */
  readonly handler: Handler
  /** Recovers from the stop before, then serves. Rejects when the stores cannot be read. */
  start(): Promise<void>
  /** Drops open uploads, waits for what is being answered, ends the scrub. Afterwards the stores may be closed. */
  stop(): Promise<void>
}

export function createProvider(options: ProviderOptions): Provider {
  const { network, chain, clock, timers, random, transport, signer, pieces, index, log = silent } = options
  const limits: ProviderLimits = { ...PROVIDER_LIMITS, ...options.limits }
  const space = createSpaceLedger()
  const uploads = createUploads({ pieces, space, timers, limits, log })
  const custody = createCustody({ pieces, index, space, log })
  const self = signer.address
  const verifier = createRequestVerifier({ network, audience: self, clock })
  const { money } = options
  const parts = { chain, clock, timers, signer, pieces, index, space, custody, verifier, money, log, limits }
  const side = createMoneySide(parts)
  const reads = createPieceReads({ pieces, custody, payments: side.payments })
  const pieceRoutes = createProviderRoutes({ ...side, chain, signer, space, uploads, custody, reads, verifier })
  const routes = [...pieceRoutes, ...side.routes]
  const router = createRouter({ role: 'provider', routes, maxRunning: limits.maxRunningRequests, log })
  const recovery = { pieces, custody, clock, log, orphanGraceMs: limits.orphanGraceMs }
  const ports = { network, clock, timers, random, transport }
  const collector = createCollector({ ports, chain, self, custody, log, ...limits })
  let background: Background | undefined

  const scrubOnce = async (signal: AbortSignal) => {
    try {
      await sweepOrphans(recovery)
      const result = await scrubPieces({ pieces, custody, timers, log, ...limits }, signal)
      const message = `scrub: ${result.checked} pieces checked, ${result.bad} bad`
      log({ type: 'scrub-done', level: result.bad > 0 ? 'error' : 'info', message, ...result })
    } catch (thrown) {
      signal.throwIfAborted()
      const message = 'the scrub broke off; it begins again after its rest'
      log({ type: 'scrub-failed', level: 'error', message, ...envelopeFromError(thrown) })
    }
  }
  /** Rest first: a restart is when the disk is busiest. */
  const scrubAgainAndAgain = async (signal: AbortSignal) => {
    for (;;) {
      await timers.sleep(limits.scrubRestMs, signal)
      await scrubOnce(signal)
    }
  }
  const collectAgainAndAgain = async (signal: AbortSignal) => {
    for (;;) {
      await timers.sleep(limits.collectRestMs, signal)
      await forgetNonces()
      await collectOnce(signal)
    }
  }
  /** A keeper that is away keeps everything where it is. */
  const collectOnce = async (signal: AbortSignal) => {
    try {
      const { asked, collected } = await collector.collect(signal)
      const message = `keepers were asked about ${asked} pieces, ${collected} were removed`
      log({ type: 'collection-done', level: 'info', message, asked, collected })
    } catch (thrown) {
      signal.throwIfAborted()
      const message = 'not every keeper says which pieces are needed; nothing more is removed before they do'
      log({ type: 'collection-failed', level: 'warn', message, ...envelopeFromError(thrown) })
    }
  }
  /** A deletion that was carried out before a restart is not carried out again (`spec/provider.md` 7). */
  const forgetNonces = async () => {
    const good: UsedNonce[] = []
    // By pages to the end: those that have expired come first, however many they are.
    for (
      let page = await custody.book.listNonces();
      page.length > 0;
      page = await custody.book.listNonces(page.at(-1))
    ) {
      await custody.book.forgetNonces(page.filter((used) => isForgettable(used, clock)))
      for (const used of page) if (!isForgettable(used, clock)) good.push(used)
    }
    return good
  }
  return {
    handler: router.handler,
    async start() {
      await recoverPieces(recovery)
      await custody.load()
      for (const used of await forgetNonces()) verifier.remember(used)
      background = createBackground(log)
      background.run('the scrub', scrubAgainAndAgain)
      background.run('the collection', collectAgainAndAgain)
      side.run(background)
      router.open()
    },
    async stop() {
      const closing = router.close()
      side.abort()
      await uploads.stop()
      await closing
      await background?.stop()
      await side.redeemLast()
    },
  }
}
