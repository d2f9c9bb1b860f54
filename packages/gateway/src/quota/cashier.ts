import { ContractRefused, GasMoneyMissing, type QuotaKind } from '@memo/chain'
import { type Address, MemoError, type Timers } from '@memo/core'
import type { GatewayEventSink } from '../events.ts'
import type { Turns } from '../turns.ts'
import { type QuotaAccount, usedUnderNonce, withNonce } from './account.ts'
import type { Ledger } from './ledger.ts'
import type { Market } from './market.ts'
import { deskKey, type VoucherDesk } from './vouchers.ts'

/** When vouchers are cashed by themselves. */
export type CashPolicy = {
  /** Bytes used under a nonce. */
  readonly cashBytes: number
  /** After the first voucher of a nonce. */
  readonly cashAgeMs: number
  /** How often that is looked at. */
  readonly cashPollMs: number
}

export const DEFAULT_CASH_POLICY: CashPolicy = {
  cashBytes: 1_073_741_824,
  cashAgeMs: 7 * 86_400_000,
  cashPollMs: 60_000,
}

/** Turns vouchers into money (`spec/gateway.md` 15). */
export type Cashier = {
  /** Cashes a buyer's voucher now; the transaction's hash, or undefined where there is nothing to cash. */
  cash(kind: QuotaKind, buyer: Address, signal?: AbortSignal): Promise<string | undefined>
  /** Cashes what is due. Failures are events, and tried again. */
  cashDue(signal: AbortSignal): Promise<void>
  /** Goes on until `signal` is aborted. */
  run(signal: AbortSignal): Promise<void>
}

const KINDS: readonly QuotaKind[] = ['space', 'traffic']
/** A voucher is void when its quota has ended: so long before, it is cashed. */
const BEFORE_EXPIRY_SECONDS = 86_400

export function createCashier(ports: {
  readonly market: Market
  readonly ledger: Ledger
  readonly desk: VoucherDesk
  readonly turns: Turns
  readonly timers: Timers
  readonly nowMs: () => number
  readonly policy: CashPolicy
  /** False while another gateway may hold better vouchers. */
  readonly mayCash: () => boolean
  readonly log: GatewayEventSink
}): Cashier {
  const { market, ledger, desk, turns, timers, nowMs, policy, mayCash, log } = ports

  const setAccount = async (buyer: Address, kind: QuotaKind, change: (account: QuotaAccount) => QuotaAccount) => {
    await ledger.update(buyer, (quota) => ({ ...quota, [kind]: change(quota[kind]) }))
  }
  const cashNow = async (kind: QuotaKind, buyer: Address, signal?: AbortSignal): Promise<string | undefined> => {
    // The chain may have taken a transaction whose answer was lost.
    const { nonce, voucher } = await desk.sync(buyer, kind, await market.quotaOf(kind, buyer, 'fresh'))
    if (!voucher || voucher.size === 0n) return undefined
    await setAccount(buyer, kind, (account) => ({ ...account, isCashing: true }))
    try {
      const hash = await market.cash(kind, { buyer, nonce, sizeByte: voucher.size }, voucher.signature, signal)
      await setAccount(buyer, kind, (account) => withNonce(account, nonce + 1n))
      const message = `cashed ${voucher.size} bytes of ${kind} of ${buyer}`
      log({ type: 'voucher-cashed', level: 'info', message, kind, buyer, nonce: `${nonce}`, tx: hash })
      return hash
    } catch (thrown) {
      const isFinal =
        (thrown instanceof ContractRefused && thrown.reason !== 'WrongNonce') || thrown instanceof GasMoneyMissing
      // In doubt the next attempt looks at the nonce, and knows that it was we who moved it.
      if (isFinal) await setAccount(buyer, kind, (account) => ({ ...account, isCashing: false }))
      throw thrown
    }
  }
  const isDue = (account: QuotaAccount): boolean => {
    const { voucher } = account
    const used = usedUnderNonce(account)
    if (!voucher || used === 0n) return false
    return (
      account.isCashing ||
      used >= BigInt(policy.cashBytes) ||
      nowMs() - voucher.sinceMs >= policy.cashAgeMs ||
      voucher.expire - nowMs() / 1000 < BEFORE_EXPIRY_SECONDS
    )
  }
  const cash: Cashier['cash'] = async (kind, buyer, signal) =>
    await turns(deskKey(buyer, kind), async () => await cashNow(kind, buyer, signal))
  const cashDue = async (signal: AbortSignal): Promise<void> => {
    if (!mayCash()) return
    for await (const { buyer, quota } of ledger.list()) {
      for (const kind of KINDS.filter((one) => isDue(quota[one]))) {
        signal.throwIfAborted()
        try {
          await cash(kind, buyer, signal)
        } catch (thrown) {
          if (!(thrown instanceof MemoError)) throw thrown
          const message = `the voucher of ${buyer} for ${kind} cannot be cashed now: ${thrown.message}`
          log({ type: 'cash-failed', level: 'warn', message, kind, buyer, error: thrown.name })
        }
      }
    }
  }
  return {
    cash,
    cashDue,
    async run(signal) {
      while (!signal.aborted) {
        try {
          await timers.sleep(policy.cashPollMs, signal)
          await cashDue(signal)
        } catch (thrown) {
          if (signal.aborted) return
          log({ type: 'cash-failed', level: 'error', message: `vouchers cannot be cashed: ${thrown}` })
        }
      }
    },
  }
}
