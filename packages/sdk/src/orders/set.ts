import { createSetTree, hex32, type SetPiece, type SetTree } from '@memo/core'
import type { CommitRecord, OfferRecord } from './store.ts'

/**
 * What one order holds: the set that both have signed, and what has changed since. Pure bookkeeping; who brings it to the
 * provider is `commit.ts`.
 */
export type OrderSet = {
  readonly tree: SetTree
  readonly commit: CommitRecord | undefined
  /** Signed by us, and perhaps not by the provider. */
  readonly offer: OfferRecord | undefined
  /** Bytes under the order, as the provider counts them. */
  heldBytes(): number
  /** Changes that no commitment has yet. */
  pending(): number
  has(root: Uint8Array): boolean
  /** True when it had been given up before. */
  add(piece: SetPiece): boolean
  /** False when there was no such piece. */
  remove(root: Uint8Array): boolean
  /** All that is held. */
  pieces(): SetPiece[]
  /** The next changes, at most so many. */
  nextChange(limit: number): Pick<OfferRecord, 'added' | 'removed'>
  setOffer(offer: OfferRecord | undefined): void
  /** Both have signed the offer. */
  settle(commit: CommitRecord, tree: SetTree): void
  /** The provider has another view, which was checked: `held` is all that it has under the order. */
  reset(commit: CommitRecord | undefined, tree: SetTree, held: readonly SetPiece[]): void
}

export function createOrderSet(saved: {
  readonly pieces: readonly SetPiece[]
  readonly commit: CommitRecord | undefined
  readonly offer: OfferRecord | undefined
}): OrderSet {
  let { commit, offer } = saved
  let tree = createSetTree(saved.pieces)
  /** To come; those of the offer stand here until it is settled. */
  const added = new Map<string, SetPiece>()
  const removed = new Map<string, SetPiece>()
  const note = (change: Pick<OfferRecord, 'added' | 'removed'> | undefined) => {
    for (const piece of change?.added ?? []) added.set(hex32(piece.root), piece)
    for (const root of change?.removed ?? []) removed.set(hex32(root), { root, sizeBytes: tree.findSize(root) ?? 0 })
  }
  note(offer)
  const isOffered = (key: string, what: 'added' | 'removed') =>
    offer?.[what].some((one) => hex32(one instanceof Uint8Array ? one : one.root) === key) ?? false
  const sum = (pieces: Map<string, SetPiece>) => [...pieces.values()].reduce((all, { sizeBytes }) => all + sizeBytes, 0)
  let addedBytes = sum(added)
  let removedBytes = sum(removed)
  const recount = () => {
    addedBytes = sum(added)
    removedBytes = sum(removed)
  }
  const put = (map: Map<string, SetPiece>, key: string, piece: SetPiece) => {
    if (map.has(key)) return
    map.set(key, piece)
    if (map === added) addedBytes += piece.sizeBytes
    else removedBytes += piece.sizeBytes
  }
  const take = (map: Map<string, SetPiece>, key: string) => {
    const piece = map.get(key)
    if (!piece) return false
    map.delete(key)
    if (map === added) addedBytes -= piece.sizeBytes
    else removedBytes -= piece.sizeBytes
    return true
  }

  return {
    get tree() {
      return tree
    },
    get commit() {
      return commit
    },
    get offer() {
      return offer
    },
    heldBytes: () => tree.usedBytes + addedBytes - removedBytes,
    pending: () => added.size + removed.size,
    has: (root) => {
      const key = hex32(root)
      return added.has(key) || (tree.findSize(root) !== undefined && !removed.has(key))
    },
    add(piece) {
      const key = hex32(piece.root)
      const isInTree = tree.findSize(piece.root) !== undefined
      if (isInTree ? !isOffered(key, 'removed') : isOffered(key, 'added')) return take(removed, key)
      put(added, key, piece)
      return isInTree
    },
    remove(root) {
      const key = hex32(root)
      const sizeBytes = tree.findSize(root) ?? (isOffered(key, 'added') ? added.get(key)?.sizeBytes : undefined)
      if (sizeBytes === undefined || isOffered(key, 'removed')) return take(added, key)
      if (removed.has(key)) return false
      put(removed, key, { root, sizeBytes })
      return true
    },
    pieces: () => [...[...tree.pieces()].filter(({ root }) => !removed.has(hex32(root))), ...added.values()],
    nextChange(limit) {
      const out = [...removed.values()].slice(0, limit)
      const into = [...added.values()].slice(0, limit - out.length)
      return { added: into, removed: out.map(({ root }) => root) }
    },
    setOffer(next) {
      offer = next
      if (next) return
      for (const key of [...removed.keys()].filter((one) => added.has(one))) {
        take(added, key)
        take(removed, key)
      }
    },
    settle(next, nextTree) {
      for (const { root } of offer?.added ?? []) take(added, hex32(root))
      for (const root of offer?.removed ?? []) take(removed, hex32(root))
      commit = next
      tree = nextTree
      offer = undefined
    },
    reset(next, nextTree, held) {
      const wanted = new Map(removed)
      commit = next
      tree = nextTree
      offer = undefined
      added.clear()
      removed.clear()
      for (const piece of held) {
        const key = hex32(piece.root)
        const isInTree = tree.findSize(piece.root) !== undefined
        if (!isInTree && !wanted.has(key)) added.set(key, piece)
        if (isInTree && wanted.has(key)) removed.set(key, piece)
      }
      const heldKeys = new Set(held.map(({ root }) => hex32(root)))
      for (const piece of tree.pieces()) {
        const key = hex32(piece.root)
        if (!heldKeys.has(key)) removed.set(key, piece)
      }
      recount()
    },
  }
}
