import { primitives } from '#primitives'
import { concatBytes, equalBytes, hex32, isCount, uint64be } from '../bytes/index.ts'
import { BadInputError } from '../errors/index.ts'
import { HASH_BYTES } from '../piece/index.ts'
import type { SetCommitment } from './messages.ts'

/** A piece as a set counts it. */
export type SetPiece = {
  /** 32 bytes. */
  readonly root: Uint8Array
  /** At least 1. */
  readonly sizeBytes: number
}

/** What turns one set into the next. */
export type SetChange = {
  readonly added: readonly SetPiece[]
  /** Roots. */
  readonly removed: readonly Uint8Array[]
}

/**
 * The pieces that a provider holds under one order, as the sum tree that user and provider sign the root of
 * (`spec/orders.md` 16). It never changes: `apply` gives another one, which shares what is the same.
 */
export type SetTree = {
  readonly count: number
  readonly usedBytes: number
  /** 32 bytes. */
  readonly setRoot: Uint8Array
  /** Size of the piece with this root, or undefined when it is not in the set. */
  findSize(root: Uint8Array): number | undefined
  /** Removals come first. Errors: {@link BadInputError} where a change does not fit the set. */
  apply(change: SetChange): SetTree
  /** By root. */
  pieces(): Iterable<SetPiece>
}

/** After those of `spec/piece.md`, so that no node of one tree is one of another. */
const LEAF_PREFIX = 3
const NODE_PREFIX = 4
const ROOT_PREFIX = 5
const ROOT_BITS = 8 * HASH_BYTES

type Leaf = { readonly hash: Uint8Array; readonly sum: number; readonly root: Uint8Array }
type Branch = {
  /** Of both sides with their sums; computed when it is first asked for, since most trees live for a moment. */
  hash: Uint8Array | undefined
  readonly sum: number
  /** The first bit in which the roots under it differ; `left` has 0 there. */
  readonly bit: number
  readonly left: Tree
  readonly right: Tree
}
type Tree = Leaf | Branch

/** The tree over `pieces`, in whichever order they come. Errors: {@link BadInputError}. */
export function createSetTree(pieces: Iterable<SetPiece> = []): SetTree {
  let top: Tree | undefined
  let count = 0
  for (const piece of pieces) {
    top = inserted(top, leafOf(piece))
    count++
  }
  return treeOf(top, count)
}

/** What is to be signed of a set; the order, the number and the epoch are the caller's. */
export function setCommitmentOf(
  tree: SetTree,
  terms: Pick<SetCommitment, 'orderId' | 'seq' | 'fromEpoch'>,
): SetCommitment {
  const { orderId, seq, fromEpoch } = terms
  return { orderId, seq, setRoot: tree.setRoot, usedBytes: BigInt(tree.usedBytes), fromEpoch }
}

function treeOf(top: Tree | undefined, count: number): SetTree {
  const usedBytes = top?.sum ?? 0
  if (!Number.isSafeInteger(usedBytes)) throw new BadInputError('a set of more bytes than can be counted')
  let setRoot: Uint8Array | undefined
  return {
    count,
    usedBytes,
    get setRoot() {
      setRoot ??= rootOf(top, count)
      return setRoot
    },
    findSize: (root) => findLeaf(top, root)?.sum,
    apply({ added, removed }) {
      let next = top
      for (const root of removed) next = without(next, root)
      for (const piece of added) next = inserted(next, leafOf(piece))
      return treeOf(next, count + added.length - removed.length)
    },
    pieces: () => leavesOf(top),
  }
}

function rootOf(top: Tree | undefined, count: number): Uint8Array {
  const hash = top ? hashOf(top) : new Uint8Array(HASH_BYTES)
  return primitives.sha256(concatBytes(Uint8Array.of(ROOT_PREFIX), uint64be(count), uint64be(top?.sum ?? 0), hash))
}

function hashOf(tree: Tree): Uint8Array {
  if (!('bit' in tree)) return tree.hash
  const { left, right } = tree
  if (!tree.hash) {
    const sides = [hashOf(left), uint64be(left.sum), hashOf(right), uint64be(right.sum)]
    tree.hash = primitives.sha256(concatBytes(Uint8Array.of(NODE_PREFIX), ...sides))
  }
  return tree.hash
}

function leafOf({ root, sizeBytes }: SetPiece): Leaf {
  if (root.length !== HASH_BYTES || !isCount(sizeBytes, 1))
    throw new BadInputError('a piece of a set without root or size')
  const hash = primitives.sha256(concatBytes(Uint8Array.of(LEAF_PREFIX), root, uint64be(sizeBytes)))
  return { hash, sum: sizeBytes, root: root.slice() }
}

function branchOf(bit: number, left: Tree, right: Tree): Branch {
  return { hash: undefined, sum: left.sum + right.sum, bit, left, right }
}

function inserted(tree: Tree | undefined, leaf: Leaf): Tree {
  if (!tree) return leaf
  const near = nearestLeaf(tree, leaf.root)
  const bit = firstDifference(near.root, leaf.root)
  if (bit === ROOT_BITS) throw new BadInputError(`the piece ${hex32(leaf.root)} is in the set already`)
  return insertedAt(tree, leaf, bit)
}

/** `leaf` differs from all roots under `tree` first in `bit`, or in a later one. */
function insertedAt(tree: Tree, leaf: Leaf, bit: number): Tree {
  const isOwnBranch = !('bit' in tree) || tree.bit > bit
  if (isOwnBranch) return bitOf(leaf.root, bit) ? branchOf(bit, tree, leaf) : branchOf(bit, leaf, tree)
  return bitOf(leaf.root, tree.bit)
    ? branchOf(tree.bit, tree.left, insertedAt(tree.right, leaf, bit))
    : branchOf(tree.bit, insertedAt(tree.left, leaf, bit), tree.right)
}

function without(tree: Tree | undefined, root: Uint8Array): Tree | undefined {
  if (!findLeaf(tree, root)) throw new BadInputError(`the piece ${hex32(root)} is not in the set`)
  return cut(tree, root)
}

function cut(tree: Tree | undefined, root: Uint8Array): Tree | undefined {
  if (!tree || !('bit' in tree)) return undefined // the leaf itself
  if (bitOf(root, tree.bit)) {
    const right = cut(tree.right, root)
    return right ? branchOf(tree.bit, tree.left, right) : tree.left
  }
  const left = cut(tree.left, root)
  return left ? branchOf(tree.bit, left, tree.right) : tree.right
}

function findLeaf(tree: Tree | undefined, root: Uint8Array): Leaf | undefined {
  const leaf = tree && nearestLeaf(tree, root)
  return leaf && equalBytes(leaf.root, root) ? leaf : undefined
}

function nearestLeaf(tree: Tree, root: Uint8Array): Leaf {
  let at = tree
  while ('bit' in at) at = bitOf(root, at.bit) ? at.right : at.left
  return at
}

function* leavesOf(tree: Tree | undefined): Generator<SetPiece> {
  const waiting = tree ? [tree] : []
  for (let at = waiting.pop(); at; at = waiting.pop()) {
    if ('bit' in at) waiting.push(at.right, at.left)
    else yield { root: at.root, sizeBytes: at.sum }
  }
}

/** Bit `index`, the highest of the first byte being 0. */
function bitOf(bytes: Uint8Array, index: number): number {
  return ((bytes[index >> 3] ?? 0) >> (7 - (index & 7))) & 1
}

/** The first bit in which two roots differ; `ROOT_BITS` where they are the same. */
function firstDifference(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < HASH_BYTES; i++) {
    const difference = (a[i] ?? 0) ^ (b[i] ?? 0)
    if (difference !== 0) return 8 * i + Math.clz32(difference) - 24
  }
  return ROOT_BITS
}
