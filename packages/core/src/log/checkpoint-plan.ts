/** Checkpoints that hold one log, as long as merging them keeps within a checkpoint’s size. */
export const WANTED_CHECKPOINT_LINKS = 8

/**
 * How many of the earlier checkpoints of a log stay as they are, given their sizes in bytes, oldest first; the entries of the
 * others are written into the new one, whose own are `newBytes`, as far as all of it stays under `mostBytes`. Merged are those
 * from the first one on that is no larger than all that comes after it: so a byte is written again only when its
 * checkpoint at least doubles (`spec/checkpoint.md` 8).
 */
export function countKeptLinks(linkBytes: readonly number[], newBytes: number, mostBytes: number): number {
  if (linkBytes.length < WANTED_CHECKPOINT_LINKS) return linkBytes.length
  let mergedBytes = newBytes
  let kept = linkBytes.length
  for (let i = linkBytes.length - 1; i >= 0; i--) {
    const bytes = linkBytes[i] ?? 0
    const isLast = i === linkBytes.length - 1 // merged at least
    if (mergedBytes + bytes > mostBytes) break
    if (bytes <= mergedBytes || isLast) kept = i
    mergedBytes += bytes
  }
  return kept
}
