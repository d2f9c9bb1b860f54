import { MAX_BUNDLE_BYTES } from '@memo/core'
import type { WriteBudget } from './write-budget.ts'

/** What one keeper takes on at once, and its pace (`spec/keeper.md`). */
export type KeeperLimits = {
  readonly maxRunningRequests: number
  /** Bundles that arrive or are being taken may fill so much memory. */
  readonly maxArrivingBytes: number
  /** What a writer that is an active user may bring into one log. */
  readonly userBudget: WriteBudget
  /** What any other key of a DID may bring: it costs nothing to have one. */
  readonly strangerBudget: WriteBudget
  /** How long an order that was read from the chain is believed, as long as it runs. */
  readonly orderCacheMs: number
  /** Between two rounds of probes. */
  readonly probeIntervalMs: number
  /** Between the first rounds, while a provider is silent: a network is started in any order. */
  readonly eagerProbeMs: number
  /** How long after its start a keeper probes so. */
  readonly eagerForMs: number
  /** A provider that does not answer for so long counts as silent. */
  readonly probeTimeoutMs: number
  /** Between two looks at another keeper's feed that brought nothing. */
  readonly feedPollMs: number
  /** After a page that was full and held nothing new. */
  readonly feedKnownMs: number
  /** A keeper that cannot be reached is asked again after at most so long. */
  readonly feedBackoffMs: number
  /** Between two looks at what the keepers have earned. */
  readonly shareEveryMs: number
  /** So many times its gas must be what is shared. */
  readonly shareGasTimes: number
  /** What a wei of gas is worth, in attomemo; 0 where gas costs nothing. */
  readonly attoPerGasWei: bigint
}

const SECOND_MS = 1_000

export const KEEPER_LIMITS: KeeperLimits = {
  maxRunningRequests: 1_024,
  maxArrivingBytes: 256 * 1_048_576,
  userBudget: { entriesPerHour: 20_000, bytesPerHour: 64 * 1_048_576 },
  strangerBudget: { entriesPerHour: 500, bytesPerHour: 1_048_576 },
  orderCacheMs: 30 * SECOND_MS,
  probeIntervalMs: 10 * SECOND_MS,
  eagerProbeMs: SECOND_MS,
  eagerForMs: 60 * SECOND_MS,
  probeTimeoutMs: 3 * SECOND_MS,
  feedPollMs: 2 * SECOND_MS,
  feedKnownMs: 200,
  feedBackoffMs: 30 * SECOND_MS,
  shareEveryMs: 3_600 * SECOND_MS,
  shareGasTimes: 4,
  attoPerGasWei: 1n, // the coin of the chain and the token are taken to be worth the same
}

/** A bundle that is taken must also fit into a feed answer, which is as large as a bundle at the most. */
export const MAX_TAKEN_BYTES: number = MAX_BUNDLE_BYTES - 4_096
/** Records in one answer (`spec/wire.md` 6). */
export const PAGE_RECORDS = 100
/** Heads in one answer. */
export const PAGE_HEADS = 1_000
/**
 * A receipt under order 0 is good for a new entry for so long from its commit: its provider collects pieces that no entry
 * needs, a day later at the earliest (`spec/provider.md` 13).
 */
export const RECEIPT_USE_SECONDS: number = 2 * 86_400
/** A receipt must run at least so much longer than now (`spec/wire.md` 6). */
export const RECEIPT_MARGIN_SECONDS = 3_600
