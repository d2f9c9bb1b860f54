import { MAX_PART_BYTES } from '@memo/core'

/** What one provider takes on at once, and its pace in the background (`spec/provider.md`). */
export type ProviderLimits = {
  /** Uploads that are open (arriving, or received and not committed). */
  readonly maxOpenUploads: number
  /** Of them, by one account. */
  readonly maxOpenUploadsPerAccount: number
  readonly maxRunningRequests: number
  /** An upload that is not committed is dropped so long after its last byte. */
  readonly uploadLifeMs: number
  /** An upload that brings no byte for so long is dropped; checked at this interval. */
  readonly uploadStallMs: number
  /** Pace of the scrub. */
  readonly scrubBytesPerSecond: number
  /** Rest between two passes of the scrub. */
  readonly scrubRestMs: number
  /** A piece that no record speaks of is kept for so long: the index may be an old copy that is about to be mended. */
  readonly orphanGraceMs: number
  /** A piece that no entry of an index needs is kept for so long from its last commit. */
  readonly unplacedGraceMs: number
  /** What one account may store without an order. */
  readonly unpaidBytesPerAccount: number
  /** From now to the end of an order that is agreed to, at the most. */
  readonly maxOrderSeconds: number
  /** How long an order that was read from the chain is believed, as long as it is enough. */
  readonly orderCacheMs: number
  /** An upload waits so long for its order to be on the chain, or to be large enough there. */
  readonly orderWaitMs: number
  /** How long what is held under an order is kept after its end. */
  readonly graceSeconds: number
  /** Rest between two looks for claims whose time is over. */
  readonly orderSweepRestMs: number
  /** What is served beyond what a voucher says. */
  readonly readWindowBytes: number
  /** What is served without a voucher. */
  readonly unpaidReadBytesPerHour: number
  /** Vouchers of payers unknown so far that turn out to be worth nothing: each makes the provider ask the chain. */
  readonly unknownPayersPerHour: number
  /** So many payers whose key did not sign are looked up, to tell contracts why they are not served. */
  readonly contractChecksPerHour: number
  /** How long an allowance that was read from the chain is believed, as long as it is enough. */
  readonly allowanceCacheMs: number
  /** Vouchers are durable so long after they came. */
  readonly voucherFlushMs: number
  /** Rest between two looks for what is worth collecting. */
  readonly settleRestMs: number
  /** An order is settled when so many of its epochs are beyond dispute, and bring so much, or when all are. */
  readonly settleEveryEpochs: number
  readonly settleThresholdAtto: bigint
  /** A voucher is redeemed when it is worth so much, or as old. */
  readonly redeemThresholdAtto: bigint
  readonly redeemAgeMs: number
  /** And when it brings so many times what its transaction costs; what is about to be void, what that costs. */
  readonly redeemGasTimes: number
  /** What a wei of gas is worth in attomemo: where gas costs nothing, nothing. */
  readonly attoPerGasWei: bigint
  /** A payment of a voucher counts for good when so many blocks stand above it. */
  readonly paymentDepthBlocks: number
  /** Rest between two questions to the keepers about what is needed. */
  readonly collectRestMs: number
}

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS

export const PROVIDER_LIMITS: ProviderLimits = {
  maxOpenUploads: 512,
  maxOpenUploadsPerAccount: 256,
  maxRunningRequests: 1_024,
  uploadLifeMs: 10 * MINUTE_MS, // spec/wire.md 4
  uploadStallMs: 2 * MINUTE_MS,
  scrubBytesPerSecond: 8 * 1_048_576,
  scrubRestMs: 6 * HOUR_MS,
  orphanGraceMs: 24 * HOUR_MS,
  unplacedGraceMs: 72 * HOUR_MS,
  collectRestMs: 6 * HOUR_MS,
  unpaidBytesPerAccount: 0,
  maxOrderSeconds: 365 * 86_400,
  orderCacheMs: 5 * SECOND_MS,
  orderWaitMs: 3 * SECOND_MS,
  graceSeconds: 7 * 86_400,
  orderSweepRestMs: MINUTE_MS,
  readWindowBytes: 64 * 1_048_576,
  unpaidReadBytesPerHour: 64 * 2 ** 30,
  unknownPayersPerHour: 36_000,
  contractChecksPerHour: 3_600,
  allowanceCacheMs: 15 * SECOND_MS,
  voucherFlushMs: SECOND_MS,
  settleRestMs: MINUTE_MS,
  settleEveryEpochs: 24,
  settleThresholdAtto: 10n ** 16n, // a hundredth of a MEMO
  redeemThresholdAtto: 10n ** 17n, // a tenth of a MEMO
  redeemAgeMs: 24 * HOUR_MS,
  redeemGasTimes: 4,
  attoPerGasWei: 1n, // the coin of the chain and the token are taken to be worth the same
  paymentDepthBlocks: 64,
}

/** The largest piece there is: the one of a part coded with k = 1. */
export const MAX_PIECE_BYTES: number = MAX_PART_BYTES
/** Bodies of control requests. */
export const MAX_CONTROL_BODY_BYTES = 4_096
