import {
  type Address,
  type Clock,
  encodeVoucher,
  MemoError,
  type MoneyContracts,
  type ProviderClient,
  type ReadAllowanceInfo,
  type Signer,
  signVoucher,
} from '@memo/core'
import { orAborted } from '../flow/abortable.ts'
import { EscrowTooSmallError, PriceTooHighError } from './errors.ts'
import type { OrderEvent } from './events.ts'
import { type OrderMoney, refusalReasonOf } from './money.ts'
import { type OrderShortfall, planAllowance } from './plan.ts'
import type { OrderPolicy } from './policy.ts'
import type { Purse } from './purse.ts'
import type { LockingRecord, OrderStore, ReadsRecord } from './store.ts'

type AllowancePlan = { readonly sizeBytes: number; readonly costAtto: bigint }

/** Name of the refusal of a provider that wants to be paid first. */
const PAYMENT_REQUIRED = 'PaymentRequiredError'

/** Whether a provider refused a read until more of what it served is paid. */
export function isPaymentRequired(thrown: unknown): thrown is MemoError {
  return thrown instanceof MemoError && thrown.name === PAYMENT_REQUIRED
}

/** What one call reads on this account; it pays for no more than its budget. */
export type ReadAccount = {
  /** Who is paid for reads from `provider` under `orderId`; undefined where there is no such order. */
  find(provider: Address, orderId: number): ReadPayment | undefined
}

/** A piece that the provider holds: with it a voucher can be shown later. */
export type ReadPiece = { readonly root: Uint8Array; readonly sizeBytes: number }

/** How reads from one provider under one order are paid. */
export type ReadPayment = {
  /** The newest voucher, the same text until the next one; undefined as long as no allowance is open. */
  voucher(): string | undefined
  /** So many bytes of a piece came, against this voucher, and were found to be its own. */
  received(bytes: number, piece: ReadPiece, voucher: string | undefined): void
  /** The provider refused this voucher: resolves when there is a newer one to show; false when there is none. */
  payMore(refused: string | undefined, signal: AbortSignal): Promise<boolean>
}

/** What was read under one order, and paid. */
export type ReadsStatus = {
  readonly orderId: number
  readonly provider: Address
  /** Verified, over all calls, as far as their budgets went. */
  readonly receivedBytes: number
  /** What the newest voucher says. */
  readonly signedBytes: number
  readonly allowedBytes: number
  readonly priceAttoPerByte: bigint
}

export type ReadsShared = {
  readonly money: OrderMoney
  readonly contracts: MoneyContracts
  readonly signer: Signer
  readonly store: OrderStore
  readonly purse: Purse
  readonly policy: OrderPolicy
  readonly clock: Clock
  getProvider(address: Address): Promise<ProviderClient>
  /** The highest price of a byte that is paid. */
  getPriceLimit(): Promise<bigint>
  emit(event: OrderEvent): void
  readonly closed: AbortSignal
  /** Keeps an eye on work that nobody waits for. */
  follow(work: Promise<unknown>): void
}

/** The reads under one order on this account (`spec/sdk.md` 18). */
export type OrderReads = {
  payment(budget: { bytes: number }): ReadPayment
  /** Pays for all that came so far: signs for it, and shows it. Errors: those of the exchange and the chain. */
  payUp(): Promise<void>
  status(): ReadsStatus
}

export function createOrderReads(
  shared: ReadsShared,
  { orderId, provider, saved }: { orderId: bigint; provider: Address; saved: ReadsRecord | undefined },
): OrderReads {
  const { money, store, policy, purse, closed } = shared
  let allowance: ReadAllowanceInfo | undefined
  let received = saved?.signedBytes ?? 0n
  let signed = received
  let text: string | undefined
  /** What the newest voucher says that the provider has seen. */
  let shown = 0n
  let lastPiece: ReadPiece | undefined
  let opening: Promise<void> | undefined
  let signing: Promise<void> | undefined
  let handing: Promise<void> | undefined
  /** When the provider was last shown all that was signed. */
  let handedOverMs = shared.clock.nowMs()
  /** What an allowance is topped up by, as far as the escrow lets. */
  let stepBytes = policy.allowanceBytes
  let isLocked = false
  let notBeforeMs = 0
  let served: boolean | undefined

  const look = async () => {
    const found = await money.getReadAllowance(orderId, money.account)
    // Vouchers of an allowance that was closed are void: the next one begins from nothing.
    const isAnother = found.seq !== (allowance?.seq ?? saved?.seq ?? found.seq)
    if (isAnother) [received, signed, shown] = [0n, 0n, 0n]
    if (found.bytesPaid > received) received = found.bytesPaid
    allowance = found
    // After a restart less than the policy’s step may have been all that the escrow let: it is not too little by itself.
    if (!isLocked && found.bytesAllowed > 0n) stepBytes = Math.min(stepBytes, Number(found.bytesAllowed))
    isLocked ||= found.bytesAllowed > 0n
    return found
  }
  /** Locks money that the store knows of; what became of it is known then. Errors: those of the chain, in doubt with the record left. */
  const lock = async (locking: LockingRecord) => {
    const once = `reads/${orderId}/${locking.seq}/${locking.bytesBefore}`
    try {
      const { sizeBytes, priceAttoPerByte } = locking
      if (!isShown(await look(), locking)) await money.allowReads(orderId, sizeBytes, priceAttoPerByte, once, closed)
    } catch (thrown) {
      if (refusalReasonOf(thrown) === undefined) throw thrown
      await endLocking(once) // nothing has moved
      throw thrown
    }
    await endLocking(once)
    await look()
    shared.emit({ type: 'reads-allowed', orderId: Number(orderId), provider, sizeBytes: locking.sizeBytes })
  }
  const endLocking = async (once: string) => {
    await store.putLocking(orderId, undefined)
    await money.forgetSent(once)
  }
  /** What was under way when a process ended, or nobody answered. */
  const finishLocking = async () => {
    const left = await store.findLocking(orderId)
    if (!left) return
    try {
      await lock(left)
    } catch (thrown) {
      if (refusalReasonOf(thrown) === undefined) throw thrown // else it is planned anew
    }
  }
  /** An allowance pays the provider of its order, whoever was named in a placement. */
  const isServedHere = async () => {
    served ??= (await money.findOrder(orderId))?.provider === provider
    return served
  }
  const topUp = async () => {
    await finishLocking()
    const found = await look()
    if (found.closingBlock !== 0n || !(await isServedHere())) return
    const account = await money.findProvider(provider)
    const price = account?.retrievalPriceAttoPerByte ?? 0n
    const limit = await shared.getPriceLimit()
    if (price > limit) throw new PriceTooHighError(provider, 'a byte', price, limit)
    if (isEnough(found, received, stepBytes)) return
    const overdrawn = Number(received - found.bytesAllowed)
    const needBytes = Math.max(1, overdrawn) + policy.voucherStepBytes
    const { plan, ended } = await purse.plan((freeAtto): AllowancePlan | OrderShortfall => {
      const sizeBytes = planAllowance({ needBytes, priceAttoPerByte: price, freeAtto }, policy)
      const costAtto = BigInt(sizeBytes) * price
      return sizeBytes > 0 ? { sizeBytes, costAtto } : { neededAtto: BigInt(needBytes) * price, freeAtto }
    }, closed)
    try {
      if (!('costAtto' in plan)) throw new EscrowTooSmallError(money.account, plan)
      const { seq, bytesAllowed: bytesBefore } = found
      const locking = { seq, bytesBefore, sizeBytes: plan.sizeBytes, priceAttoPerByte: price }
      await store.putLocking(orderId, locking)
      await lock(locking)
      stepBytes = plan.sizeBytes
    } finally {
      ended()
    }
  }
  const startTopUp = (): Promise<void> => {
    opening ??= topUp()
      .then(async () => await sign())
      .finally(() => {
        opening = undefined
      })
    return opening
  }
  /** What goes wrong here is told, and tried again with the next bytes that come. */
  const inBackground = (work: Promise<void>) => {
    const told = work.catch((thrown: unknown) => {
      if (closed.aborted) return
      notBeforeMs = shared.clock.nowMs() + policy.retryMs
      if (!(thrown instanceof MemoError)) throw thrown
      shared.emit({ type: 'order-waits', provider, error: thrown.name, message: thrown.message })
    })
    shared.follow(told)
  }
  const sign = (): Promise<void> => {
    signing ??= signNow().finally(() => {
      signing = undefined
    })
    return signing
  }
  const signNow = async () => {
    const found = allowance
    if (!found || !served || found.bytesAllowed === 0n || found.closingBlock !== 0n) return
    const bytesRead = received < found.bytesAllowed ? received : found.bytesAllowed
    if (text !== undefined && bytesRead <= signed) return
    const voucher = { orderId, payer: money.account, seq: found.seq, bytesRead }
    const signedVoucher = await signVoucher(shared.contracts, voucher, shared.signer)
    await store.putReads(orderId, { provider, seq: found.seq, signedBytes: bytesRead })
    signed = bytesRead
    text = encodeVoucher(signedVoucher)
  }
  const count = (bytes: number) => {
    received += BigInt(bytes)
    if (opening || served === false || shared.clock.nowMs() < notBeforeMs) return
    if (!allowance || !isEnough(allowance, received, stepBytes)) return inBackground(startTopUp())
    if (received - signed >= BigInt(policy.voucherStepBytes) && !signing) inBackground(sign())
    if (!handing && shared.clock.nowMs() - handedOverMs >= policy.voucherEveryMs) inBackground(handOver())
  }
  /** The same voucher shown again is no news, and what came since waits as long as before. */
  const noteShown = () => {
    if (signed > shown) handedOverMs = shared.clock.nowMs()
    shown = signed
  }
  const payUp = async () => {
    await opening
    if (!lastPiece || !allowance) return
    await sign()
    const voucher = text
    if (voucher === undefined || signed <= shown) return
    const { root, sizeBytes } = lastPiece
    const client = await shared.getProvider(provider)
    await client.readUnits(root, sizeBytes, { voucher, signal: closed })
    if (voucher === text) noteShown()
  }
  const handOver = (): Promise<void> => {
    handing ??= payUp().finally(() => {
      handing = undefined
    })
    return handing
  }

  return {
    payment: (budget) => ({
      voucher: () => text,
      received(bytes, piece, voucher) {
        lastPiece = piece
        if (voucher !== undefined && voucher === text) noteShown()
        const paid = Math.min(bytes, budget.bytes)
        budget.bytes -= paid
        if (paid > 0) count(paid)
      },
      async payMore(refused, signal) {
        if (text !== refused) return true
        const isDrawn = !allowance || received >= allowance.bytesAllowed
        try {
          await orAborted(refused === undefined || isDrawn ? startTopUp() : sign(), signal)
        } catch (thrown) {
          signal.throwIfAborted()
          if (!(thrown instanceof MemoError)) throw thrown
          return false // the refusal is the error to tell: another provider is asked
        }
        return text !== refused
      },
    }),
    payUp,
    status: () => ({
      orderId: Number(orderId),
      provider,
      receivedBytes: Number(received),
      signedBytes: Number(signed),
      allowedBytes: Number(allowance?.bytesAllowed ?? 0n),
      priceAttoPerByte: allowance?.priceAttoPerByte ?? 0n,
    }),
  }
}

/** Whether more than half of what it is topped up by is left. */
function isEnough({ bytesAllowed }: ReadAllowanceInfo, received: bigint, stepBytes: number): boolean {
  return 2n * (bytesAllowed - received) > BigInt(stepBytes)
}

/** Whether the chain shows what was to be locked, or that the allowance was closed after it. */
function isShown({ seq, bytesAllowed }: ReadAllowanceInfo, locking: LockingRecord): boolean {
  return seq > locking.seq || bytesAllowed > locking.bytesBefore
}
