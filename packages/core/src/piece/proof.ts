import { primitives } from '#primitives'
import { concatBytes, equalBytes } from '../bytes/index.ts'
import { assert } from '../errors/index.ts'
import { HASH_BYTES, LEAF_BYTES, leafCountOf, reduceLevel, rootFromTop } from './tree.ts'

/** A leaf of a piece with the sibling nodes on its way up: what answers a sample (`spec/piece.md` 6). */
export type LeafProof = {
  readonly leafIndex: number
  readonly leaf: Uint8Array
  /** Sibling hashes from the leaf upwards; levels where the node is promoted have none. */
  readonly path: readonly Uint8Array[]
}

/** Path of leaf `leafIndex` over all leaf hashes in a row. */
export function leafPath(leafHashes: Uint8Array, leafIndex: number): Uint8Array[] {
  const path: Uint8Array[] = []
  let nodes = leafHashes
  let index = leafIndex
  assert(leafIndex < nodes.length / HASH_BYTES, 'leaf index within the piece')
  while (nodes.length > HASH_BYTES) {
    const sibling = (index ^ 1) * HASH_BYTES
    if (sibling < nodes.length) path.push(nodes.slice(sibling, sibling + HASH_BYTES))
    nodes = reduceLevel(nodes)
    index >>= 1
  }
  return path
}

/** Whether `proof` shows its leaf at its place in the piece `root` of `sizeBytes`. Any malformed proof is false. */
export function isLeafProof(root: Uint8Array, sizeBytes: number, proof: LeafProof): boolean {
  const leaves = leafCountOf(sizeBytes)
  const { leafIndex, leaf, path } = proof
  if (!Number.isSafeInteger(sizeBytes) || !Number.isSafeInteger(leafIndex) || leafIndex < 0 || leafIndex >= leaves)
    return false
  if (leaf.length !== Math.min(LEAF_BYTES, sizeBytes - leafIndex * LEAF_BYTES)) return false
  let node = primitives.sha256(concatBytes(Uint8Array.of(0), leaf))
  let index = leafIndex
  let used = 0
  for (let count = leaves; count > 1; count = Math.ceil(count / 2)) {
    if ((index ^ 1) < count) {
      const sibling = path[used++]
      if (sibling?.length !== HASH_BYTES) return false
      const pair = index & 1 ? [sibling, node] : [node, sibling]
      node = primitives.sha256(concatBytes(Uint8Array.of(1), ...pair))
    }
    index = Math.floor(index / 2)
  }
  return used === path.length && equalBytes(rootFromTop(node, sizeBytes), root)
}
