import { MemoError } from '@memo/core'

/** There is no room for the piece here. */
export class NoSpaceError extends MemoError {
  override readonly name: string = 'NoSpaceError'
  constructor(neededBytes: number, freeBytes: number) {
    super(`this provider has room for ${freeBytes} bytes, not for ${neededBytes}`, {
      blame: 'provider',
      retry: 'never',
      fix: 'Place the piece on another provider.',
      details: { neededBytes, freeBytes },
    })
  }
}

/** What bounds the space right now. */
export type SpaceFacts = {
  /** What the provider has pledged for. */
  readonly capacityBytes: number
  /** What the piece store still offers. */
  readonly diskFreeBytes: number
}

/** Space that an upload has to itself until it is released. */
export type Reservation = {
  /** Bytes that reached the disk: the disk's own count knows them from now on. */
  wrote(bytes: number): void
  /** Gives back what was reserved beyond `sizeBytes`. */
  settle(sizeBytes: number): void
  /** Gives everything back; again does nothing. */
  release(): void
}

/** Keeps account of held and reserved bytes, so that nothing is promised twice (`spec/provider.md` 3). */
export type SpaceLedger = {
  hold(bytes: number): void
  letGo(bytes: number): void
  freeBytes(facts: SpaceFacts): number
  /** Errors: {@link NoSpaceError}. */
  reserve(bytes: number, facts: SpaceFacts): Reservation
}

export function createSpaceLedger(): SpaceLedger {
  let heldBytes = 0
  let reservedBytes = 0
  /** Reserved, and not on the disk yet. */
  let unwrittenBytes = 0

  const freeBytes = ({ capacityBytes, diskFreeBytes }: SpaceFacts) => {
    const byPledge = capacityBytes - heldBytes - reservedBytes
    const byDisk = diskFreeBytes - unwrittenBytes
    return Math.max(0, Math.min(byPledge, byDisk))
  }
  return {
    hold(bytes) {
      heldBytes += bytes
    },
    letGo(bytes) {
      heldBytes -= bytes
    },
    freeBytes,
    reserve(bytes, facts) {
      const free = freeBytes(facts)
      if (bytes > free) throw new NoSpaceError(bytes, free)
      let reserved = bytes
      let unwritten = bytes
      reservedBytes += bytes
      unwrittenBytes += bytes
      const shrink = (reservedNow: number, unwrittenNow: number) => {
        reservedBytes -= reserved - reservedNow
        unwrittenBytes -= unwritten - unwrittenNow
        reserved = reservedNow
        unwritten = unwrittenNow
      }
      return {
        wrote: (written) => shrink(reserved, Math.max(0, unwritten - written)),
        settle: (sizeBytes) => shrink(Math.min(reserved, sizeBytes), 0),
        release: () => shrink(0, 0),
      }
    },
  }
}
