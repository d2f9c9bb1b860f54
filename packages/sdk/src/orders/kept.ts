import type { EpochInfo } from '@memo/core'

/** Bytes that were given up before `until` had begun, with two epochs for the commitment without them. */
export type KeptRecord = { readonly until: bigint; readonly bytes: number }

/**
 * What was given up under one order and lies at its provider until nobody can dispute it any more: as much as the order has
 * lies beside it, what goes beyond takes its room (`spec/provider.md` 17).
 */
export type KeptBytes = {
  /** Notes what was given up now; what nobody can dispute any more is forgotten. */
  add(bytes: number, epochs: EpochInfo): void
  /** All of it. */
  lyingBytes(epochs: EpochInfo): number
  /** What of it takes room in an order of this size. */
  usedBytes(sizeBytes: number, epochs: EpochInfo): number
  /** Those that are not forgotten, one for each epoch. */
  list(): readonly KeptRecord[]
}

/** A commitment counts from two epochs after the one of now at the latest; the provider looks a little later. */
const COMMIT_EPOCHS = 3n

export function createKeptBytes(saved: readonly KeptRecord[] = []): KeptBytes {
  let records = saved
  const lyingBytes: KeptBytes['lyingBytes'] = ({ closedBefore }) =>
    records.reduce((sum, { until, bytes }) => sum + (until > closedBefore ? bytes : 0), 0)
  return {
    lyingBytes,
    add(bytes, { current, closedBefore }) {
      const until = current + COMMIT_EPOCHS
      const open = records.filter((record) => record.until > closedBefore)
      const same = open.find((record) => record.until === until)
      records = [...open.filter((record) => record !== same), { until, bytes: bytes + (same?.bytes ?? 0) }]
    },
    usedBytes: (sizeBytes, epochs) => Math.max(0, lyingBytes(epochs) - sizeBytes),
    list: () => records,
  }
}
