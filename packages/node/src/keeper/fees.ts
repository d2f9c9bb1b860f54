import { type Address, type Clock, envelopeFromError, type Timers } from '@memo/core'
import type { EventSink } from '../events.ts'
import type { KeeperLimits } from './limits.ts'

/** What a keeper asks of the chain to be paid; a real chain behind it, or a scripted one. */
export type KeeperMoney = {
  /** What waits for the keepers of this keeper's group, and who of them is active; undefined for an account without a group. */
  getPool(): Promise<KeeperPool | undefined>
  getGasPriceWei(): Promise<bigint>
  /** Shares the pool. Errors: `ContractRefused` with reason `NothingToShare` where another was quicker. */
  share(group: number, signal: AbortSignal): Promise<void>
}

export type KeeperPool = { readonly group: number; readonly atto: bigint; readonly keepers: readonly Address[] }

/** What sharing takes at the most: for the call, and for each keeper that is paid (`spec/performance.md`). */
const SHARE_GAS = 60_000n
const SHARE_GAS_PER_KEEPER = 32_000n

type FeesOptions = {
  readonly self: Address
  readonly money: KeeperMoney
  readonly clock: Clock
  readonly timers: Timers
  readonly limits: Pick<KeeperLimits, 'shareEveryMs' | 'shareGasTimes' | 'attoPerGasWei'>
  readonly log: EventSink
}

/** Has the keepers of a group paid, again and again until the signal is aborted (`spec/keeper.md` 14). */
export async function shareFeesAgainAndAgain(options: FeesOptions, signal: AbortSignal): Promise<void> {
  const { timers, limits, log } = options
  for (;;) {
    await timers.sleep(limits.shareEveryMs, signal)
    try {
      await shareWhatIsWorth(options, signal)
    } catch (thrown) {
      signal.throwIfAborted()
      const message = 'what the keepers have earned could not be shared; it is tried again'
      log({ type: 'sharing-failed', level: 'warn', message, ...envelopeFromError(thrown) })
    }
  }
}

async function shareWhatIsWorth(options: FeesOptions, signal: AbortSignal): Promise<void> {
  const { self, money, clock, limits, log } = options
  const pool = await money.getPool()
  if (!pool || !isTurnOf(self, pool.keepers, Math.floor(clock.nowMs() / limits.shareEveryMs))) return
  const eachAtto = pool.atto / BigInt(pool.keepers.length)
  if (eachAtto === 0n) return
  const gas = SHARE_GAS + SHARE_GAS_PER_KEEPER * BigInt(pool.keepers.length)
  const gasAtto = limits.attoPerGasWei === 0n ? 0n : gas * (await money.getGasPriceWei()) * limits.attoPerGasWei
  if (pool.atto < gasAtto * BigInt(limits.shareGasTimes)) return
  await money.share(pool.group, signal)
  const message = `${pool.keepers.length} keepers have got ${eachAtto} attomemo each of what orders paid them`
  const details = { group: pool.group, keepers: pool.keepers.length, eachAtto: `${eachAtto}` }
  log({ type: 'keepers-paid', level: 'info', message, ...details })
}

/** One keeper after another has a turn, in the order of their addresses: two would pay for the same gas, and none is needed. */
function isTurnOf(self: Address, keepers: readonly Address[], turn: number): boolean {
  const inOrder = [...keepers].sort()
  return inOrder.length > 0 && inOrder[turn % inOrder.length] === self
}
