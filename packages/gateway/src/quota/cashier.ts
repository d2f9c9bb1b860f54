import { ContractRefused, GasMoneyMissing, type QuotaInfo, type QuotaKind } from '@memo/chain'
import { type Address, MemoError, minOf, type Timers, type Turns } from '@memo/core'
import type { GatewayEventSink } from '../events.ts'
import { type CashedVoucher, type QuotaAccount, usedUnderNonce, withNonce } from './account.ts'
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
  /** And when it brings so many times what its transaction costs; in the last day of its quota, what that costs. */
  readonly cashGasTimes: number
  /** What a wei of gas is worth in attomemo: where gas costs nothing, nothing. */
  readonly attoPerGasWei: bigint
  /** A voucher that was cashed is kept until so many blocks stand above that. */
  readonly cashDepthBlocks: number
}

export const DEFAULT_CASH_POLICY: CashPolicy = {
  cashBytes: 1_073_741_824,
  cashAgeMs: 7 * 86_400_000,
  cashPollMs: 60_000,
  cashGasTimes: 4,
  attoPerGasWei: 1n, // the coin of the chain and the token are taken to be worth the same
  cashDepthBlocks: 64,
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

type Cashed = Pick<CashedVoucher, 'size' | 'nonce'>

const KINDS: readonly QuotaKind[] = ['space', 'traffic']
/** A voucher is void when its quota has ended: so long before, it is cashed. */
const BEFORE_EXPIRY_SECONDS = 86_400
/** What the transaction of a voucher in the original form was seen to take where nothing was cashed yet, which is the most. */
const CASH_GAS = 110_000n
/** A voucher that was not worth its gas is looked at again so much later. */
const DUST_MS = 3_600_000
const MAX_DUST = 10_000

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
  const tellCashed = (kind: QuotaKind, buyer: Address, { size, nonce }: Cashed, hash: string, isAgain = false) => {
    const message = `cashed ${size} bytes of ${kind} of ${buyer}${isAgain ? ' again: the chain had dropped it' : ''}`
    log({ type: 'voucher-cashed', level: 'info', message, kind, buyer, nonce: `${nonce}`, tx: hash })
  }
  /** Notes what the chain shows of vouchers that were cashed, and forgets those that lie deep; gives those it dropped. */
  const lookAtCashed = async (kind: QuotaKind, buyer: Address): Promise<readonly CashedVoucher[]> => {
    const { quota } = await ledger.read(buyer)
    if (quota[kind].cashed.length === 0) return []
    const { nonce } = await market.quotaOf(kind, buyer, 'fresh')
    // Asked afterwards: what the nonce shows is in this block or an earlier one.
    const block = await market.blockNumber()
    const isDeep = ({ seenAtBlock = block }: CashedVoucher) => block - seenAtBlock >= policy.cashDepthBlocks
    const seen = quota[kind].cashed
      .filter((one) => one.nonce >= nonce || !isDeep(one))
      .map((one) => ({ ...one, seenAtBlock: one.nonce >= nonce ? undefined : (one.seenAtBlock ?? block) }))
    const isNews = (one: CashedVoucher, i: number) => one.seenAtBlock !== seen[i]?.seenAtBlock
    if (seen.length < quota[kind].cashed.length || quota[kind].cashed.some(isNews)) {
      await setAccount(buyer, kind, (account) => ({ ...account, cashed: seen }))
    }
    return seen.filter((one) => one.nonce >= nonce)
  }
  /** What the chain no longer shows as cashed is presented again, one nonce after the other; none counts twice. */
  const cashDropped = async (kind: QuotaKind, buyer: Address, signal?: AbortSignal): Promise<void> => {
    for (const dropped of await lookAtCashed(kind, buyer)) {
      const { nonce, size, signature } = dropped
      const hash = await market.cash(kind, { buyer, nonce, sizeByte: size }, signature, signal)
      tellCashed(kind, buyer, dropped, hash, true)
    }
  }
  const cashNow = async (kind: QuotaKind, buyer: Address, signal?: AbortSignal): Promise<string | undefined> => {
    await cashDropped(kind, buyer, signal)
    // The chain may have taken a transaction whose answer was lost.
    const { nonce, voucher } = await desk.sync(buyer, kind, await market.quotaOf(kind, buyer, 'fresh'))
    if (!voucher || voucher.size === 0n) return undefined
    await setAccount(buyer, kind, (account) => ({ ...account, isCashing: true }))
    try {
      const hash = await market.cash(kind, { buyer, nonce, sizeByte: voucher.size }, voucher.signature, signal)
      await setAccount(buyer, kind, (account) => withNonce(account, nonce + 1n))
      tellCashed(kind, buyer, { size: voucher.size, nonce }, hash)
      return hash
    } catch (thrown) {
      const isFinal =
        (thrown instanceof ContractRefused && thrown.reason !== 'WrongNonce') || thrown instanceof GasMoneyMissing
      // In doubt the next attempt looks at the nonce, and knows that it was we who moved it.
      if (isFinal) await setAccount(buyer, kind, (account) => ({ ...account, isCashing: false }))
      throw thrown
    }
  }
  const isEnding = (expire: number) => expire - nowMs() / 1000 < BEFORE_EXPIRY_SECONDS
  const isDue = (account: QuotaAccount): boolean => {
    const { voucher } = account
    const used = usedUnderNonce(account)
    if (!voucher || used === 0n) return false
    return (
      account.isCashing ||
      used >= BigInt(policy.cashBytes) ||
      nowMs() - voucher.sinceMs >= policy.cashAgeMs ||
      isEnding(voucher.expire)
    )
  }
  /** Vouchers that are not worth their gas, and until when they are left alone. */
  const dust = new Map<string, number>()
  /** Whether a voucher that is due brings enough for its transaction. What may be under way already is not asked. */
  const isWorthIt = async (kind: QuotaKind, buyer: Address, account: QuotaAccount): Promise<boolean> => {
    const { voucher, isCashing } = account
    if (!voucher || isCashing || policy.attoPerGasWei === 0n) return true
    const key = deskKey(buyer, kind)
    if ((dust.get(key) ?? 0) > nowMs()) return false
    const gasAtto = CASH_GAS * (await market.gasPriceWei()) * policy.attoPerGasWei
    const times = isEnding(voucher.expire) ? 1n : BigInt(policy.cashGasTimes)
    const isWorth = incomeOf(await market.quotaOf(kind, buyer), voucher.size) >= gasAtto * times
    if (isWorth) dust.delete(key)
    else dust.set(key, nowMs() + DUST_MS)
    if (dust.size > MAX_DUST) dust.clear() // they are asked about once more
    return isWorth
  }
  const cash: Cashier['cash'] = async (kind, buyer, signal) =>
    await turns(deskKey(buyer, kind), async () => await cashNow(kind, buyer, signal))
  const cashDue = async (signal: AbortSignal): Promise<void> => {
    if (!mayCash()) return
    for await (const { buyer, quota } of ledger.list()) {
      for (const kind of KINDS.filter((one) => isDue(quota[one]) || quota[one].cashed.length > 0)) {
        signal.throwIfAborted()
        try {
          if (isDue(quota[kind]) && (await isWorthIt(kind, buyer, quota[kind]))) await cash(kind, buyer, signal)
          else await turns(deskKey(buyer, kind), async () => await cashDropped(kind, buyer, signal))
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

/** What a voucher over `size` bytes brings: granted bytes go first, for nothing (`spec/space-market.md` 7). */
function incomeOf({ balanceAtto, sizeByte, freeByte }: QuotaInfo, size: bigint): bigint {
  const paid = size - minOf(size, freeByte)
  return sizeByte === 0n ? 0n : (balanceAtto * minOf(paid, sizeByte)) / sizeByte
}
