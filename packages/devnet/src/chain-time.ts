/** How far chain time was moved from the clock. Both fields are journaled with the blocks (`spec/devnet.md` 4). */
export type TimeJournal = {
  readonly offsetSeconds: number
  /** The timestamp that the next block was ordered to have. */
  readonly nextTimestamp: number | undefined
}

/** A block's timestamp, and the journal as it stands once that block is stored. */
export type BlockTime = { readonly timestamp: number; readonly journal: TimeJournal }

/**
 * The time of the block after one with `parentTimestamp`. Timestamps strictly increase: blocks that follow each
 * other within a second run ahead of the clock and wait for it to catch up.
 */
export function nextBlockTime(parentTimestamp: number, nowMs: number, journal: TimeJournal): BlockTime {
  const nowSeconds = Math.floor(nowMs / 1000)
  if (journal.nextTimestamp !== undefined) {
    const timestamp = Math.max(journal.nextTimestamp, parentTimestamp + 1)
    return { timestamp, journal: { offsetSeconds: timestamp - nowSeconds, nextTimestamp: undefined } }
  }
  return { timestamp: Math.max(nowSeconds + journal.offsetSeconds, parentTimestamp + 1), journal }
}
