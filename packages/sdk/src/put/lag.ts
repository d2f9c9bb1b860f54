import type { StorageLimits } from '../limits.ts'

/** What is seen of a lane that is behind when it is decided whether it is too slow. */
export type LaneView = {
  /** Since when it has been at one strip, or at storing its piece; undefined when it waits for us. */
  readonly busySinceMs: number | undefined
  /** How long enough others have waited for it, over the whole part. */
  readonly heldMs: number
}

export type LagView<Lane extends LaneView> = {
  /** Lanes that have not taken all there is, or not stored their piece. */
  readonly behind: readonly Lane[]
  readonly nowMs: number
  /** What enough others (k + ⌈m/2⌉) needed for the part so far. */
  readonly tookMs: number
}

/**
 * The lanes to drop (`spec/sdk.md` 4): those that have not moved for `stallMs`; and those that the others have waited
 * for longer than `lagFactor` times what they needed themselves, and `lagMs` at the least. Where all are slow nobody
 * waits for anybody: it is our own line, and no provider is dropped for it.
 */
export function planDrops<Lane extends LaneView>(
  view: LagView<Lane>,
  limits: Pick<StorageLimits, 'lagMs' | 'lagFactor' | 'stallMs'>,
): Lane[] {
  const patienceMs = Math.max(limits.lagMs, limits.lagFactor * view.tookMs)
  return view.behind.filter(({ busySinceMs, heldMs }) => {
    const isStalled = busySinceMs !== undefined && view.nowMs - busySinceMs > limits.stallMs
    return isStalled || heldMs > patienceMs
  })
}

/** Pieces without which a part is not placed: k + ⌈m/2⌉ (`spec/objects.md` 8). */
export function leastPiecesOf(policy: { readonly dataShards: number; readonly parityShards: number }): number {
  return policy.dataShards + Math.ceil(policy.parityShards / 2)
}
