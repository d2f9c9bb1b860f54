/** Memory of stripes that were sent, for those that come: new memory must be cleared, and is collected late. */
export type Recycler = {
  /** `bytes` of memory with anything in it. */
  take(bytes: number): Uint8Array
  /** Nobody uses `memory` any more, which is a whole buffer. */
  give(memory: Uint8Array): void
}

/** Keeps so much at the most. */
export function createRecycler(maxBytes: number): Recycler {
  const kept: Uint8Array[] = []
  let keptBytes = 0
  return {
    take(bytes) {
      const index = kept.findLastIndex((memory) => memory.length === bytes)
      const [memory] = index < 0 ? [] : kept.splice(index, 1)
      if (!memory) return new Uint8Array(bytes)
      keptBytes -= bytes
      return memory
    },
    give(memory) {
      kept.push(memory)
      keptBytes += memory.length
      // What has lain longest goes first: it may be of a size that nobody asks for any more.
      while (keptBytes > maxBytes) keptBytes -= kept.shift()!.length
    },
  }
}
