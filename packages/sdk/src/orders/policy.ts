/** How generously a User opens, grows and renews orders and pays for reads; all can be set, all have a default. */
export type OrderPolicy = {
  /** Size of a first order at the least, in bytes; twice what is needed where that is more. */
  readonly firstOrderBytes: number
  /** An order grows by at most so many bytes at once, or by what is needed. */
  readonly maxStepBytes: number
  /** An order grows in the background once less than 1/n of it is free. */
  readonly growAtFreePart: number
  /** How long orders are opened for and renewed to, in seconds; less where the provider or the escrow does not allow it. */
  readonly termSeconds: number
  /** Where the escrow is small an order may be as short as this, in seconds. */
  readonly minTermSeconds: number
  /** An order is renewed once less than 1/n of the term is left. */
  readonly renewAtTermPart: number
  /** An order that would do with 1/n of its size, or less, when it is renewed, is renewed with that. */
  readonly shrinkAtSizePart: number
  /** An order that runs for less than this takes no more pieces before it was renewed, in seconds. */
  readonly minLeftSeconds: number
  /** What goes beyond the need takes at most 1/n of the free escrow at once. */
  readonly generousPart: number
  /** No order at a higher price; where nothing is said, no higher one than so many times the median of all providers. */
  readonly maxPriceAttoPerGiBSecond: bigint | undefined
  readonly maxPriceTimesMedian: number
  /** Where fewer than three providers ask anything, no order at a higher price than this either. */
  readonly maxPriceOfFewAttoPerGiBSecond: bigint
  /** Nothing is read for more than this, nor for more than so many times the median of three providers or more. */
  readonly maxRetrievalPriceAttoPerByte: bigint
  readonly maxRetrievalPriceTimesMedian: number
  /** A signed order or amendment is void after so many seconds. */
  readonly submitWithinSeconds: number
  /** How often orders are looked after. */
  readonly checkMs: number
  /** A set is committed so long after its last change. */
  readonly commitDelayMs: number
  /** A set is committed at once when so many changes wait. */
  readonly commitChanges: number
  /** What failed in the background is tried again so much later. */
  readonly retryMs: number
  /** How long a close waits for sets to be committed. */
  readonly closeMs: number
  /** Bytes that an allowance for reading is opened and topped up by; less where the escrow does not allow it. */
  readonly allowanceBytes: number
  /** An allowance takes at most 1/n of the free escrow at once. */
  readonly allowancePart: number
  /** Whether reads under orders of other accounts are paid as well; who reads for strangers would pay whom they please. */
  readonly paysForOthers: boolean
  /** A voucher is signed for every so many bytes. */
  readonly voucherStepBytes: number
  /** While reading goes on, what came is signed for and handed over at least so often: a process that is killed owes no more. */
  readonly voucherEveryMs: number
  /** From so many seconds before its end on, an order that could not be renewed is warned of. */
  readonly endingSeconds: number
  /** Warnings are repeated after so many seconds. */
  readonly warnEverySeconds: number
}

const MIB = 1_048_576
const DAY_SECONDS = 86_400
const ATTO_PER_MEMO = 10n ** 18n

export const DEFAULT_ORDER_POLICY: OrderPolicy = {
  firstOrderBytes: 256 * MIB,
  maxStepBytes: 65_536 * MIB,
  growAtFreePart: 4,
  termSeconds: 30 * DAY_SECONDS,
  minTermSeconds: DAY_SECONDS,
  renewAtTermPart: 2,
  shrinkAtSizePart: 2,
  minLeftSeconds: 7_200,
  generousPart: 16,
  maxPriceAttoPerGiBSecond: undefined,
  maxPriceTimesMedian: 8,
  maxPriceOfFewAttoPerGiBSecond: (100n * ATTO_PER_MEMO) / BigInt(30 * DAY_SECONDS), // 100 MEMO for a GiB and month
  maxRetrievalPriceAttoPerByte: 10n ** 9n,
  maxRetrievalPriceTimesMedian: 8,
  submitWithinSeconds: 300,
  checkMs: 30_000,
  commitDelayMs: 5_000,
  commitChanges: 4_096,
  retryMs: 30_000,
  closeMs: 5_000,
  allowanceBytes: 1_024 * MIB,
  allowancePart: 64,
  paysForOthers: true,
  voucherStepBytes: 16 * MIB,
  voucherEveryMs: 120_000,
  endingSeconds: 7 * DAY_SECONDS,
  warnEverySeconds: DAY_SECONDS,
}
