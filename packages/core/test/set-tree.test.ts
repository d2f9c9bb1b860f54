import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { BadInputError, createSetTree, findBytesFromHex, hex32, hexFromBytes, type SetPiece } from '@memo/core'
import fc from 'fast-check'

const vectors = JSON.parse(readFileSync(new URL('../../../spec/vectors/set-tree.json', import.meta.url), 'utf8'))

/** The rule as it is written, over the whole set at once. */
function plainSetRoot(pieces: readonly SetPiece[]): Buffer {
  const hash = (prefix: number, ...parts: readonly Uint8Array[]) =>
    createHash('sha256').update(Uint8Array.of(prefix)).update(Buffer.concat(parts)).digest()
  const number = (value: number) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64BE(BigInt(value))
    return bytes
  }
  const bitsOf = ({ root }: SetPiece) => [...root].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  const sumOf = (some: readonly SetPiece[]) => some.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const nodeOf = (some: readonly SetPiece[], bit = 0): Buffer => {
    const [only] = some
    if (some.length === 1 && only) return hash(3, only.root, number(only.sizeBytes))
    const [left, right] = ['0', '1'].map((side) => some.filter((piece) => bitsOf(piece)[bit] === side)) as [
      SetPiece[],
      SetPiece[],
    ]
    if (left.length === 0 || right.length === 0) return nodeOf(some, bit + 1)
    return hash(4, nodeOf(left, bit + 1), number(sumOf(left)), nodeOf(right, bit + 1), number(sumOf(right)))
  }
  return hash(5, number(pieces.length), number(sumOf(pieces)), pieces.length === 0 ? Buffer.alloc(32) : nodeOf(pieces))
}

/** Roots that agree in many of their first bits come often enough. */
const someRoot = fc.oneof(
  fc.uint8Array({ minLength: 32, maxLength: 32 }),
  fc
    .tuple(fc.nat({ max: 255 }), fc.nat({ max: 31 }))
    .map(([value, at]) => Uint8Array.from({ length: 32 }, (_, i) => (i === at ? value : 0))),
)
const somePieces = fc.uniqueArray(fc.record({ root: someRoot, sizeBytes: fc.integer({ min: 1, max: 2 ** 40 }) }), {
  selector: ({ root }) => hex32(root),
  maxLength: 40,
})

describe('the tree of a set', () => {
  test('has the roots of the vectors', () => {
    assert.ok(vectors.sets.length > 4)
    for (const { pieces, setRoot, usedBytes } of vectors.sets) {
      const plain = pieces.map(({ root, sizeBytes }: { root: string; sizeBytes: number }) => ({
        root: findBytesFromHex(root, 32)!,
        sizeBytes,
      }))
      assert.equal(hexFromBytes(plainSetRoot(plain)), setRoot)
      const tree = createSetTree(plain)
      assert.equal(hexFromBytes(tree.setRoot), setRoot)
      assert.equal(tree.usedBytes, usedBytes)
    }
  })

  test('follows from the set alone, in whichever order it grew', () => {
    fc.assert(
      fc.property(somePieces, fc.array(fc.nat()), (pieces, shuffle) => {
        const tree = createSetTree(pieces)
        assert.equal(hexFromBytes(tree.setRoot), hexFromBytes(plainSetRoot(pieces)))
        const others = [...pieces].sort((a, b) => (shuffle[a.sizeBytes % 7] ?? 0) - (shuffle[b.sizeBytes % 7] ?? 0))
        assert.deepEqual(createSetTree(others).setRoot, tree.setRoot)
        const sorted = pieces.map(({ root }) => hex32(root)).sort()
        assert.deepEqual(
          [...tree.pieces()].map(({ root }) => hex32(root)),
          sorted,
        )
      }),
    )
  })

  test('is after any change what it would have been from the start, and the one before stays as it was', () => {
    fc.assert(
      fc.property(somePieces, somePieces, fc.nat(), (pieces, more, seed) => {
        const tree = createSetTree(pieces)
        const before = tree.setRoot
        const removed = pieces.filter((_, i) => ((seed >> (i % 30)) & 1) === 1)
        const kept = pieces.filter((piece) => !removed.includes(piece))
        const added = more.filter(({ root }) => !kept.some((piece) => hex32(piece.root) === hex32(root)))
        const next = tree.apply({ added, removed: removed.map(({ root }) => root) })
        assert.deepEqual(next.setRoot, createSetTree([...kept, ...added]).setRoot)
        assert.equal(next.count, kept.length + added.length)
        assert.deepEqual(tree.setRoot, before)
        for (const { root, sizeBytes } of added) assert.equal(next.findSize(root), sizeBytes)
        for (const { root } of removed) {
          const again = added.find((piece) => hex32(piece.root) === hex32(root))
          assert.equal(next.findSize(root), again?.sizeBytes)
        }
      }),
    )
  })

  test('has another root when a size, a root or a piece differs', () => {
    fc.assert(
      fc.property(somePieces, (pieces) => {
        fc.pre(pieces.length > 0)
        const { setRoot } = createSetTree(pieces)
        const [first, ...others] = pieces
        assert.notDeepEqual(createSetTree(others).setRoot, setRoot)
        assert.notDeepEqual(createSetTree([{ ...first!, sizeBytes: first!.sizeBytes + 1 }, ...others]).setRoot, setRoot)
      }),
    )
  })

  test('takes no piece twice, lets none go that is not there, and none without a size', () => {
    const piece = { root: new Uint8Array(32).fill(7), sizeBytes: 5 }
    const tree = createSetTree([piece])
    assert.throws(() => tree.apply({ added: [piece], removed: [] }), BadInputError)
    assert.throws(() => tree.apply({ added: [{ ...piece, sizeBytes: 6 }], removed: [] }), BadInputError)
    assert.throws(() => tree.apply({ added: [], removed: [new Uint8Array(32)] }), BadInputError)
    assert.throws(() => tree.apply({ added: [], removed: [piece.root, piece.root] }), BadInputError)
    assert.throws(() => createSetTree().apply({ added: [], removed: [piece.root] }), BadInputError)
    assert.throws(() => createSetTree([{ ...piece, sizeBytes: 0 }]), BadInputError)
    assert.throws(() => createSetTree([{ ...piece, sizeBytes: 0.5 }]), BadInputError)
    assert.throws(() => createSetTree([{ ...piece, root: new Uint8Array(31) }]), BadInputError)
    const huge = { root: new Uint8Array(32), sizeBytes: Number.MAX_SAFE_INTEGER }
    assert.throws(() => tree.apply({ added: [huge], removed: [] }), BadInputError)
    assert.deepEqual(tree.apply({ added: [{ ...piece, sizeBytes: 9 }], removed: [piece.root] }).usedBytes, 9)
  })

  test('keeps its pieces though the caller uses its memory again', () => {
    const root = new Uint8Array(32).fill(1)
    const tree = createSetTree([{ root, sizeBytes: 1 }])
    root.fill(2)
    assert.equal(tree.findSize(new Uint8Array(32).fill(1)), 1)
    assert.equal(tree.findSize(root), undefined)
  })
})
