import type { EpochInfo } from '@memo/core'
import type { OrderPolicy } from './policy.ts'

/** What a change of an order is planned from. */
export type PlanView = {
  /** Bytes that must have room, beside those that the order holds. */
  readonly needBytes: number
  readonly priceAttoPerGiBSecond: bigint
  readonly epochs: EpochInfo
  /** The longest order that the provider signs. */
  readonly maxOrderEpochs: number
  /** What the provider has left to sell. */
  readonly roomBytes: number
  /** Escrow that nothing else is going to take. */
  readonly freeAtto: bigint
}

/** An order as it is now. */
export type OrderView = {
  readonly sizeBytes: number
  readonly priceAttoPerGiBSecond: bigint
  readonly end: bigint
  /** Held and being stored. */
  readonly usedBytes: number
  /** What may take room in a smaller order: also what was given up and is not beyond dispute, or is committed still. */
  readonly mostUsedBytes: number
}

/** What to sign: the order as it shall be, and what that takes from the escrow. */
export type OrderPlan = {
  readonly sizeBytes: number
  /** The first epoch of the change. */
  readonly start: bigint
  readonly end: bigint
  readonly costAtto: bigint
}

/** Why nothing can be planned: the least that it takes is more than there is. */
export type OrderShortfall = { readonly neededAtto: bigint; readonly freeAtto: bigint }

type Candidate = { readonly sizeBytes: number; readonly end: bigint }

const BYTES_PER_GIB = 1n << 30n
const PERCENT = 100n
const WITH_FEES_PERCENT = 105n
/** Sizes of orders are whole MiB, so that rounding never matters. */
const SIZE_STEP_BYTES = 1_048_576

/** What an epoch of an order costs its user, fees included (`spec/orders.md` 5). */
export function epochCostAtto(sizeBytes: number, priceAttoPerGiBSecond: bigint, epochSeconds: bigint): bigint {
  const product = BigInt(sizeBytes) * priceAttoPerGiBSecond * epochSeconds * WITH_FEES_PERCENT
  const unit = BYTES_PER_GIB * PERCENT
  return (product + unit - 1n) / unit
}

/** How big and how long a first order is (`spec/sdk.md` 15). */
export function planOpen(view: PlanView, policy: OrderPolicy): OrderPlan | OrderShortfall {
  const start = view.epochs.current + 1n
  const least = roundedUp(view.needBytes)
  const wanted = Math.max(roundedUp(2 * view.needBytes), policy.firstOrderBytes)
  const most = Math.max(least, Math.min(wanted, roundedDown(view.roomBytes)))
  const costOf = ({ sizeBytes, end }: Candidate) => costFrom(view, sizeBytes, start, end)
  return choose(candidatesOf({ least, most, start }, view, policy), start, costOf, view, policy)
}

/**
 * What an order becomes that needs more room: about twice as big, and as long as a new one where it is due. Never smaller,
 * never shorter than it is.
 */
export function planGrow(order: OrderView, view: PlanView, policy: OrderPolicy): OrderPlan | OrderShortfall {
  const least = Math.max(order.sizeBytes, roundedUp(order.usedBytes + view.needBytes))
  const room = order.sizeBytes + roundedDown(view.roomBytes)
  const most = Math.max(least, Math.min(2 * order.sizeBytes, order.sizeBytes + policy.maxStepBytes, room))
  return planChange(order, { least, most }, view, policy)
}

/**
 * Another term, and a smaller size where the order has at least twice of what it needs: twice what is used, a first order's at the
 * least, so that it need not grow again soon. Undefined where the order cannot become longer than it is.
 */
export function planRenew(
  order: OrderView,
  view: PlanView,
  policy: OrderPolicy,
): OrderPlan | OrderShortfall | undefined {
  const sizeBytes = renewedSizeOf(order, policy)
  const size = { least: sizeBytes, most: sizeBytes }
  const plan = planChange(order, size, { ...view, needBytes: 0 }, policy)
  return 'costAtto' in plan && plan.end <= order.end ? undefined : plan
}

function renewedSizeOf({ sizeBytes, mostUsedBytes }: OrderView, policy: OrderPolicy): number {
  const wanted = Math.max(policy.firstOrderBytes, roundedUp(2 * mostUsedBytes))
  return wanted * policy.shrinkAtSizePart <= sizeBytes ? wanted : sizeBytes
}

/** Whether an order has so little time left that it is to be renewed. */
export function isRenewalDue(order: Pick<OrderView, 'end'>, epochs: EpochInfo, policy: OrderPolicy): boolean {
  return secondsLeft(order.end, epochs) * policy.renewAtTermPart < policy.termSeconds
}

/** How long an order still runs, in seconds, as far as epochs last what they count; 0 when it is over. */
export function secondsLeft(end: bigint, { current, epochSeconds }: EpochInfo): number {
  return end <= current ? 0 : Number((end - current) * epochSeconds)
}

/** Bytes that an allowance for reading is made bigger by; 0 where the escrow does not have that much. */
export function planAllowance(
  view: { readonly needBytes: number; readonly priceAttoPerByte: bigint; readonly freeAtto: bigint },
  policy: OrderPolicy,
): number {
  const { needBytes, priceAttoPerByte, freeAtto } = view
  const wanted = Math.max(2 * needBytes, policy.allowanceBytes)
  if (priceAttoPerByte === 0n) return wanted
  const generous = Number(freeAtto / BigInt(policy.allowancePart) / priceAttoPerByte)
  if (generous >= needBytes) return Math.min(wanted, Math.max(generous, 1))
  return BigInt(needBytes) * priceAttoPerByte <= freeAtto ? needBytes : 0
}

function planChange(
  order: OrderView,
  { least, most }: { readonly least: number; readonly most: number },
  view: PlanView,
  policy: OrderPolicy,
): OrderPlan | OrderShortfall {
  const start = view.epochs.current + 1n
  const before = costFrom(
    { ...view, priceAttoPerGiBSecond: order.priceAttoPerGiBSecond },
    order.sizeBytes,
    start,
    order.end,
  )
  const isDue = isRenewalDue(order, view.epochs, policy)
  const longest = candidatesOf({ least, most, start }, view, policy)
  const later = (end: bigint) => (isDue && end > order.end ? end : order.end)
  const candidates = longest.map(({ sizeBytes, end }) => ({ sizeBytes, end: later(end) }))
  const costOf = ({ sizeBytes, end }: Candidate) => costFrom(view, sizeBytes, start, end) - before
  return choose(candidates, start, costOf, view, policy)
}

function costFrom(view: PlanView, sizeBytes: number, start: bigint, end: bigint): bigint {
  if (end <= start) return 0n
  return epochCostAtto(sizeBytes, view.priceAttoPerGiBSecond, view.epochs.epochSeconds) * (end - start)
}

/** From what is wanted down to what is needed: first smaller, then shorter. */
function candidatesOf(
  { least, most, start }: { readonly least: number; readonly most: number; readonly start: bigint },
  { epochs, maxOrderEpochs }: PlanView,
  policy: OrderPolicy,
): Candidate[] {
  const epochsOf = (seconds: number) => {
    const wanted = (BigInt(Math.ceil(seconds)) + epochs.epochSeconds - 1n) / epochs.epochSeconds
    const most = BigInt(maxOrderEpochs)
    return wanted > most ? most : wanted > 0n ? wanted : 1n
  }
  const sizes = [...halvings(most, least)].map((bytes) => Math.max(least, roundedUp(bytes)))
  const terms = [...halvings(policy.termSeconds, Math.min(policy.minTermSeconds, policy.termSeconds))].map(epochsOf)
  const longest = terms[0] ?? 1n
  const smaller = sizes.map((sizeBytes) => ({ sizeBytes, end: start + longest }))
  return [...smaller, ...terms.slice(1).map((term) => ({ sizeBytes: least, end: start + term }))]
}

function choose(
  candidates: readonly Candidate[],
  start: bigint,
  costOf: (candidate: Candidate) => bigint,
  { freeAtto }: PlanView,
  { generousPart }: OrderPolicy,
): OrderPlan | OrderShortfall {
  const costed = candidates.map((candidate) => ({ ...candidate, start, costAtto: costOf(candidate) }))
  const generous = costed.find(({ costAtto }) => costAtto * BigInt(generousPart) <= freeAtto)
  const last = costed.at(-1)
  const plan = generous ?? (last && last.costAtto <= freeAtto ? last : undefined)
  return plan ?? { neededAtto: last?.costAtto ?? 0n, freeAtto }
}

function* halvings(from: number, to: number): Generator<number> {
  for (let value = from; value > to; value /= 2) yield value
  yield to
}

function roundedUp(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / SIZE_STEP_BYTES)) * SIZE_STEP_BYTES
}

function roundedDown(bytes: number): number {
  return Math.floor(bytes / SIZE_STEP_BYTES) * SIZE_STEP_BYTES
}
