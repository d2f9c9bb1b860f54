import { primitives } from '#primitives'
import { concatBytes, uint64be } from '../bytes/index.ts'
import { assert } from '../errors/index.ts'

/** Bytes of a leaf: what one sample of an audit reveals (`spec/piece.md` 1). */
export const LEAF_BYTES = 4_096
/** Level of the nodes that readers and stores keep: one covers 16 leaves. */
export const UNIT_LEVEL = 4
/** Bytes under one unit node: the grain at which a range can be verified alone. */
export const UNIT_BYTES: number = LEAF_BYTES << UNIT_LEVEL
export const HASH_BYTES = 32

const LEAF_PREFIX = 0
const NODE_PREFIX = 1
const ROOT_PREFIX = 2

/** Leaves of a piece of `sizeBytes`: at least one (an empty piece has one empty leaf). */
export function leafCountOf(sizeBytes: number): number {
  return Math.max(1, Math.ceil(sizeBytes / LEAF_BYTES))
}

/** Nodes at `level` of a tree over `leaves` leaves. */
export function nodeCountOf(leaves: number, level: number): number {
  return Math.ceil(leaves / 2 ** level)
}

const leafScratch = new Uint8Array(LEAF_BYTES + 1)
const nodeScratch = new Uint8Array(2 * HASH_BYTES + 1)

/** Hashes of the leaves of `data` in a row, 32 bytes each; the last leaf may be short. */
export function hashLeaves(data: Uint8Array): Uint8Array {
  const leaves = leafCountOf(data.length)
  const out = new Uint8Array(leaves * HASH_BYTES)
  leafScratch[0] = LEAF_PREFIX
  for (let i = 0; i < leaves; i++) {
    const leaf = data.subarray(i * LEAF_BYTES, (i + 1) * LEAF_BYTES)
    leafScratch.set(leaf, 1)
    const input = leaf.length === LEAF_BYTES ? leafScratch : leafScratch.subarray(0, leaf.length + 1)
    primitives.sha256Into(input, out, i * HASH_BYTES)
  }
  return out
}

/** One level up: pairs are hashed, an odd last node is promoted as it is. */
export function reduceLevel(nodes: Uint8Array): Uint8Array {
  const count = nodes.length / HASH_BYTES
  const pairs = count >> 1
  const out = new Uint8Array((pairs + (count & 1)) * HASH_BYTES)
  nodeScratch[0] = NODE_PREFIX
  for (let i = 0; i < pairs; i++) {
    nodeScratch.set(nodes.subarray(i * 2 * HASH_BYTES, (i + 1) * 2 * HASH_BYTES), 1)
    primitives.sha256Into(nodeScratch, out, i * HASH_BYTES)
  }
  if (count & 1) out.set(nodes.subarray((count - 1) * HASH_BYTES), pairs * HASH_BYTES)
  return out
}

/** The nodes `levels` above `nodes`. */
export function raiseLevels(nodes: Uint8Array, levels: number): Uint8Array {
  let at = nodes
  for (let i = 0; i < levels && at.length > HASH_BYTES; i++) at = reduceLevel(at)
  return at
}

/** The single node on top of `nodes` (a whole level, left to right). */
export function topOf(nodes: Uint8Array): Uint8Array {
  assert(nodes.length >= HASH_BYTES && nodes.length % HASH_BYTES === 0, 'a level holds whole hashes')
  return raiseLevels(nodes, Number.POSITIVE_INFINITY)
}

/** The piece's id: the top node with the length bound in (`spec/piece.md` 4). */
export function rootFromTop(top: Uint8Array, sizeBytes: number): Uint8Array {
  return primitives.sha256(concatBytes(Uint8Array.of(ROOT_PREFIX), uint64be(sizeBytes), top))
}

/** Unit nodes of `data`, which must start at a unit boundary of its piece and end at one or at the piece's end. */
export function hashUnits(data: Uint8Array): Uint8Array {
  return raiseLevels(hashLeaves(data), UNIT_LEVEL)
}

/** Root of a piece from all its unit nodes and its size. */
export function rootFromUnits(units: Uint8Array, sizeBytes: number): Uint8Array {
  return rootFromTop(topOf(units), sizeBytes)
}

/** Root of a whole piece in memory. */
export function rootFromPiece(data: Uint8Array): Uint8Array {
  return rootFromUnits(hashUnits(data), data.length)
}
