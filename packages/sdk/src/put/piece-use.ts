import { type Address, createTurns, hex32 } from '@memo/core'

/**
 * Which pieces puts count on that keepers do not know of yet. Pieces of the same bytes in clear are the same, and a provider
 * keeps them once for an account: a put that gives up its own must not take those of another that is under way.
 */
export type PieceUse = {
  /** Has a piece kept. It is in use from then on, unless `commit` rejects, until {@link PieceUse.release}. */
  keep<T>(provider: Address, root: Uint8Array, commit: () => Promise<T>): Promise<T>
  /** One put less counts on the piece. */
  release(provider: Address, root: Uint8Array): void
  /** Has a piece deleted, unless a put counts on it: then undefined. */
  drop<T>(provider: Address, root: Uint8Array, remove: () => Promise<T>): Promise<T | undefined>
}

export function createPieceUse(): PieceUse {
  const uses = new Map<string, number>()
  // A provider that deletes and keeps one piece at the same moment would do so in an order that nobody knows.
  const turn = createTurns()
  const release: PieceUse['release'] = (provider, root) => {
    const key = keyOf(provider, root)
    const left = (uses.get(key) ?? 0) - 1
    if (left > 0) uses.set(key, left)
    else uses.delete(key)
  }
  return {
    release,
    async keep(provider, root, commit) {
      const key = keyOf(provider, root)
      uses.set(key, (uses.get(key) ?? 0) + 1)
      try {
        return await turn(key, commit)
      } catch (thrown) {
        release(provider, root)
        throw thrown
      }
    },
    async drop(provider, root, remove) {
      const key = keyOf(provider, root)
      return await turn(key, async () => (uses.has(key) ? undefined : await remove()))
    },
  }
}

function keyOf(provider: Address, root: Uint8Array): string {
  return `${provider}/${hex32(root)}`
}
