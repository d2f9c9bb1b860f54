import {
  type Chain,
  type Clock,
  envelopeFromError,
  type IndexStore,
  type PieceStore,
  type RequestVerifier,
  type Signer,
  type Timers,
  withDeadline,
} from '@memo/core'
import type { EventSink } from '../events.ts'
import type { Background } from '../server/background.ts'
import { NotServingError } from '../server/errors.ts'
import { createOrderReader } from '../server/order-reader.ts'
import type { Route } from '../server/router.ts'
import { createCommitments } from './commitments.ts'
import type { Custody } from './custody.ts'
import { createLedger } from './ledger.ts'
import type { ProviderLimits } from './limits.ts'
import type { ProviderMoney } from './money-port.ts'
import { createOrderRoutes } from './order-routes.ts'
import { createOrderSweeper } from './order-sweep.ts'
import { createOrderDesk, type OrderDesk } from './orders.ts'
import { createReadPayments, type ReadPayments } from './read-payments.ts'
import { createRoom, type Room } from './room.ts'
import { assertActiveUser } from './routes.ts'
import type { SpaceLedger } from './space.ts'
import { createTreasury } from './treasury.ts'
import { createVoucherRows } from './voucher-rows.ts'

export type MoneySideOptions = {
  readonly chain: Chain
  readonly clock: Clock
  readonly timers: Timers
  readonly signer: Signer
  readonly pieces: PieceStore
  readonly index: IndexStore
  readonly space: SpaceLedger
  readonly custody: Custody
  readonly verifier: RequestVerifier
  readonly money: ProviderMoney | undefined
  readonly log: EventSink
  readonly limits: ProviderLimits
}

/** What a provider has to do with money: orders, commitments, paid reads, and what it earns (`spec/provider.md` 14 to 22). */
export type MoneySide = {
  readonly room: Room
  readonly desk: OrderDesk
  readonly payments: ReadPayments
  readonly routes: readonly Route[]
  /** Starts what goes on beside the answering of requests. */
  run(background: Background): void
  /** Ends what is being collected for those who ask. */
  abort(): void
  /** Presents what readers owe, as far as the chain takes it in time; never rejects. */
  redeemLast(): Promise<void>
}

type Work = (signal: AbortSignal) => Promise<unknown>

/** How long a provider that stops waits for the chain to take its vouchers. */
const LAST_REDEEM_MS = 15_000

export function createMoneySide(options: MoneySideOptions): MoneySide {
  const { chain, clock, timers, signer, pieces, index, space, custody, verifier, money, log, limits } = options
  const self = signer.address
  const { accounts } = custody.orders
  const reader = createOrderReader({ chain, clock, ttlMs: limits.orderCacheMs })
  const room = createRoom({ chain, self, pieces, space, accounts })
  const desk = createOrderDesk({ chain, clock, timers, signer, reader, accounts, room, limits })
  const commitments = createCommitments({ chain, signer, custody, desk, reader })
  const vouchers = createVoucherRows(index)
  const getBlockNumber = async () => await (money?.getBlockNumber() ?? chain.getBlock().then(({ number }) => number))
  const payments = createReadPayments({
    chain,
    clock,
    self,
    reader,
    rows: vouchers,
    getBlockNumber,
    isContract: money?.isContract,
    limits,
  })
  const ledger = createLedger(index)
  const treasury = money && createTreasury({ clock, money, ledger, reader, vouchers, payments, log, limits })
  const sweeper = createOrderSweeper({ chain, custody, reader, log, graceSeconds: limits.graceSeconds })
  const stopping = new AbortController()
  const routes = createOrderRoutes({
    self,
    verifier,
    desk,
    commitments,
    treasury,
    assertActiveUser: (account) => assertActiveUser(chain, account),
    signal: stopping.signal,
  })

  /** Does `work` after every rest, where there is news; what goes wrong is an event, and the next time it may not. */
  const again = (restMs: number, what: string, work: Work, waitForNews?: Work) => {
    return async (signal: AbortSignal) => {
      for (;;) {
        await waitForNews?.(signal)
        await timers.sleep(restMs, signal)
        try {
          await work(signal)
        } catch (thrown) {
          signal.throwIfAborted()
          const message = `${what} failed; it is tried again`
          log({ type: 'background-failed', level: 'warn', message, ...envelopeFromError(thrown) })
        }
      }
    }
  }
  return {
    room,
    desk,
    payments,
    routes,
    run(background) {
      background.run('the end of claims', again(limits.orderSweepRestMs, 'ending claims', sweeper.sweep))
      const keep = again(limits.voucherFlushMs, 'keeping vouchers', payments.flush, payments.waitForNews)
      background.run('keeping vouchers', keep)
      if (treasury) background.run('earnings', again(limits.settleRestMs, 'collecting earnings', treasury.collect))
    },
    abort: () => stopping.abort(new NotServingError('provider', 'it is stopping')),
    async redeemLast() {
      const late = () => new NotServingError('provider', 'it has stopped')
      try {
        await payments.flush()
        if (!treasury) return
        await withDeadline(timers, LAST_REDEEM_MS, undefined, late, async (signal) => await treasury.redeemAll(signal))
      } catch (thrown) {
        const message = 'vouchers could not be redeemed before the stop; they are kept'
        log({ type: 'collecting-failed', level: 'warn', message, ...envelopeFromError(thrown) })
      }
    },
  }
}
