import { MAX_PART_BYTES } from '@memo/core'

/** What bounds memory, patience and persistence of one {@link Storage}; all can be set, all have a default. */
export type StorageLimits = {
  /** Stripes of one put that are in memory at once, encoded or being encoded. */
  readonly stripesInMemory: number
  /** Stripes that are encoded at the same time; more than one only helps with an encoder of several threads. */
  readonly stripesEncoding: number
  /** A lane that holds all others up for so long is dropped, if enough others keep pace. */
  readonly lagMs: number
  /** A lane that finishes later than the others gets so many times what they took, and `lagMs` at the least. */
  readonly lagFactor: number
  /** A lane that takes nothing for so long is dropped, whatever the others do. */
  readonly stallMs: number
  /** How often lanes are looked at. */
  readonly lagCheckMs: number
  /** Stored bytes of a part at the most, in whole stripes and one at the least. */
  readonly partBytes: number
  /** Objects up to this size share parts with others that are put at the same time. */
  readonly packedBytes: number
  /** A part that has been open for so long is ended at the next stripe: uploads do not stay open for ever. */
  readonly partOpenMs: number
  /** A part is ended when the source gives no further stripe for so long. */
  readonly partIdleMs: number
  /** Providers that are tried in turn for one missing piece. */
  readonly pieceAttempts: number
  /** Stripes read ahead of the reader, the one that is being read included. */
  readonly stripesReadAhead: number
  /** A strip that takes longer than this, and `lagFactor` times the first one, is read from another piece as well. */
  readonly hedgeMs: number
  /** Deadline of a question to one keeper where another could answer it. */
  readonly askMs: number
  /** Deadline of one strip. */
  readonly stripTimeoutMs: number
  /** How often an index entry is handed to keepers before the put says that it is not durable. */
  readonly submitAttempts: number
  readonly submitPauseMs: number
  /** How long the acknowledgements of slower keepers are waited for once there are enough. */
  readonly ackGraceMs: number
  /** A provider that failed is not chosen again for so long. */
  readonly suspectMs: number
  /** Logs that are remembered between puts. */
  readonly logsInMemory: number
}

export const DEFAULT_LIMITS: StorageLimits = {
  stripesInMemory: 4,
  stripesEncoding: 2,
  lagMs: 5_000,
  lagFactor: 2,
  stallMs: 60_000,
  lagCheckMs: 250,
  partBytes: MAX_PART_BYTES,
  packedBytes: 262_144,
  partOpenMs: 30_000,
  partIdleMs: 15_000,
  pieceAttempts: 4,
  stripesReadAhead: 2,
  hedgeMs: 1_500,
  askMs: 4_000,
  stripTimeoutMs: 60_000,
  submitAttempts: 4,
  submitPauseMs: 500,
  ackGraceMs: 300,
  suspectMs: 60_000,
  logsInMemory: 1_000,
}
