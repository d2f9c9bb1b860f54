import type { OrderInfo } from '@memo/core'
import { OrderLapsedError, OrderNotShownError } from './errors.ts'
import { type OrderMoney, refusalReasonOf } from './money.ts'
import type { ChangeRecord, OrderRecord, OrderStore } from './store.ts'

/** What became of a change: the order as it is now, or that it never came about and never will. */
export type ChangeOutcome = { readonly order: OrderRecord | undefined }

/** Refusals that mean that it is done already: another submission of the same was faster. */
const DONE_BEFORE: readonly string[] = ['NonceUsed', 'StaleAmendment']

/**
 * Brings a change that a provider has signed onto the chain, once (`spec/sdk.md` 16). It stands in the store before it is
 * submitted, and leaves it when it is known what became of it. Nonce and number see to it that the contract takes it only
 * once; `submitBy` that it cannot come later. Errors: those of the chain; then the change still stands in the store, unless
 * the contract refused it.
 */
export async function carryOut(
  money: OrderMoney,
  store: OrderStore,
  change: ChangeRecord,
  signal: AbortSignal,
): Promise<ChangeOutcome> {
  await store.putChange(change)
  return await submit(money, store, change, false, signal)
}

/** Goes on with a change that was under way when the process ended: looks for it, and submits the same again. */
export async function takeUp(
  money: OrderMoney,
  store: OrderStore,
  change: ChangeRecord,
  signal: AbortSignal,
): Promise<ChangeOutcome> {
  const orderId = await findDone(money, change)
  if (orderId !== undefined) return await ended(money, store, change, orderId)
  if (await isLapsed(money, change)) {
    // Looked for once more: it may have come in between the two questions.
    const late = await findDone(money, change)
    return await ended(money, store, change, late)
  }
  return await submit(money, store, change, true, signal)
}

async function submit(
  money: OrderMoney,
  store: OrderStore,
  change: ChangeRecord,
  isAgain: boolean,
  signal: AbortSignal,
): Promise<ChangeOutcome> {
  try {
    const orderId = await send(money, change, signal)
    return await ended(money, store, change, orderId)
  } catch (thrown) {
    const reason = refusalReasonOf(thrown)
    if (reason === undefined) throw thrown
    if (DONE_BEFORE.includes(reason)) {
      const orderId = await findDone(money, change)
      // Done, and not shown yet: to forget it would be to pay for another.
      if (orderId === undefined && !(await isLapsed(money, change))) throw thrown
      return await ended(money, store, change, orderId)
    }
    // What was sent before may still wait somewhere: as long as the chain would take it, it is kept.
    if (!isAgain || (await isLapsed(money, change))) await store.endChange(change.provider, undefined)
    if (reason === 'SubmittedTooLate') throw new OrderLapsedError(change.provider, change.terms.submitBy)
    throw thrown
  }
}

async function send(money: OrderMoney, change: ChangeRecord, signal: AbortSignal): Promise<bigint> {
  if (change.kind === 'open') return await money.openOrder(change.terms, change.signature, signal)
  await money.amendOrder(change.terms, change.signature, signal)
  return change.terms.orderId
}

/** The order, where the change is on chain. */
async function findDone(money: OrderMoney, change: ChangeRecord): Promise<bigint | undefined> {
  if (change.kind === 'open') {
    const isUsed = await money.isNonceUsed(change.terms.nonce)
    return isUsed ? await money.findOpened(change.terms.nonce, change.block) : undefined
  }
  const order = await money.findOrder(change.terms.orderId)
  return order && order.seq > change.terms.seq ? change.terms.orderId : undefined
}

/** Whether no block can take it any more: blocks only get later. */
async function isLapsed(money: OrderMoney, { terms }: ChangeRecord): Promise<boolean> {
  const { timestamp } = await money.getBlock()
  return BigInt(timestamp) > terms.submitBy
}

async function ended(
  money: OrderMoney,
  store: OrderStore,
  { provider }: ChangeRecord,
  orderId: bigint | undefined,
): Promise<ChangeOutcome> {
  const info = orderId === undefined ? undefined : await money.findOrder(orderId)
  if (orderId !== undefined && !info) throw new OrderNotShownError(provider, orderId)
  const order = orderId !== undefined && info ? recordOf(orderId, info) : undefined
  await store.endChange(provider, order)
  return { order }
}

/** What the book remembers of an order. */
export function recordOf(orderId: bigint, { provider, segments, end, seq }: OrderInfo): OrderRecord {
  const last = segments.at(-1)
  return {
    orderId,
    provider,
    sizeBytes: Number(last?.sizeBytes ?? 0n),
    priceAttoPerGiBSecond: last?.priceAttoPerGiBSecond ?? 0n,
    end,
    seq,
  }
}
