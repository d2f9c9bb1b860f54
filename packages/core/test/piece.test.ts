import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import {
  areUnitsOf,
  createPieceHasher,
  hashLeaves,
  hashUnits,
  isLeafProof,
  isUnitRange,
  LEAF_BYTES,
  type LeafProof,
  leafCountOf,
  leafPath,
  rootFromPiece,
  rootFromTop,
  topOf,
  UNIT_BYTES,
  unitRangeOf,
  unitsLengthOf,
} from '@memo/core'
import fc from 'fast-check'
import { dataOf } from './support/data.ts'
import { readVectors } from './support/vectors.ts'

type Vectors = {
  pieces: { label: string; sizeBytes: number; root: string; units: number; unitsSha256: string }[]
  proofs: { label: string; sizeBytes: number; leafIndex: number; path: string[] }[]
}
const vectors = readVectors<Vectors>('piece')
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

function proofOf(data: Uint8Array, leafIndex: number): LeafProof {
  const leaf = data.subarray(leafIndex * LEAF_BYTES, (leafIndex + 1) * LEAF_BYTES)
  return { leafIndex, leaf, path: leafPath(hashLeaves(data), leafIndex) }
}

describe('the tree of a piece', () => {
  test('has the roots and unit nodes that another implementation finds', () => {
    for (const { label, sizeBytes, root, units, unitsSha256 } of vectors.pieces) {
      const data = dataOf(label, sizeBytes)
      assert.equal(hex(rootFromPiece(data)), root, `${sizeBytes} bytes`)
      const nodes = hashUnits(data)
      assert.equal(nodes.length, units * 32)
      assert.equal(unitsLengthOf(sizeBytes), units * 32)
      assert.equal(createHash('sha256').update(nodes).digest('hex'), unitsSha256)
    }
  })

  test('is the same whether the piece comes at once or in any cuts', () => {
    const data = dataOf('cuts', 3 * UNIT_BYTES + 4_097)
    const whole = { root: rootFromPiece(data), sizeBytes: data.length, units: hashUnits(data) }
    fc.assert(
      fc.property(fc.nat(data.length), fc.array(fc.nat(data.length), { maxLength: 12 }), (length, cuts) => {
        const piece = data.subarray(0, length)
        const ends = [...cuts.map((cut) => Math.min(cut, length)).sort((a, b) => a - b), length]
        const hasher = createPieceHasher()
        let at = 0
        for (const end of ends) {
          hasher.update(piece.subarray(at, end))
          at = end
        }
        const digest = hasher.finish()
        assert.equal(digest.sizeBytes, length)
        assert.equal(hex(digest.root), hex(rootFromPiece(piece)))
        assert.equal(hex(digest.units), hex(hashUnits(piece)))
        assert.ok(areUnitsOf(digest.root, length, digest.units))
      }),
      { numRuns: 60 },
    )
    const hasher = createPieceHasher()
    for (const byte of data) hasher.update(Uint8Array.of(byte))
    assert.deepEqual(hasher.finish(), whole)
  })

  test('binds the length: zeros at the end are another piece', () => {
    const data = dataOf('length', LEAF_BYTES - 1)
    const padded = Buffer.concat([data, Buffer.alloc(1)])
    assert.notEqual(hex(rootFromPiece(data)), hex(rootFromPiece(padded)))
    assert.notEqual(hex(rootFromPiece(new Uint8Array(0))), hex(rootFromPiece(new Uint8Array(1))))
    assert.notEqual(hex(rootFromTop(topOf(hashLeaves(data)), 1)), hex(rootFromPiece(data)))
  })

  test('keeps leaves and nodes apart: a leaf made of two hashes is not the node above them', () => {
    const data = dataOf('domain', 2 * LEAF_BYTES)
    const leaves = hashLeaves(data)
    assert.notEqual(hex(topOf(leaves)), hex(topOf(hashLeaves(leaves))))
  })
})

describe('a proof of a leaf', () => {
  test('has the path that another implementation finds', () => {
    for (const { label, sizeBytes, leafIndex, path } of vectors.proofs) {
      const data = dataOf(label, sizeBytes)
      const proof = proofOf(data, leafIndex)
      assert.deepEqual(proof.path.map(hex), path)
      assert.ok(isLeafProof(rootFromPiece(data), sizeBytes, proof))
    }
  })

  test('holds for every leaf of pieces of many sizes', () => {
    const sizes = [0, 1, 4_095, 4_096, 4_097, ...Array.from({ length: 34 }, (_, i) => (i + 1) * LEAF_BYTES - (i % 3))]
    for (const size of sizes) {
      const data = dataOf('every leaf', size)
      const root = rootFromPiece(data)
      const leaves = leafCountOf(size)
      for (let i = 0; i < leaves; i++)
        assert.ok(isLeafProof(root, size, proofOf(data, i)), `leaf ${i} of ${size} bytes`)
    }
  })

  test('forged in any way is refused', () => {
    const size = 21 * LEAF_BYTES + 100
    const data = dataOf('forged', size)
    const root = rootFromPiece(data)
    const proof = proofOf(data, 13)
    const last = proofOf(data, 21)
    assert.ok(isLeafProof(root, size, proof))
    const forgeries: [string, LeafProof, number?][] = [
      ['another leaf', { ...proof, leaf: dataOf('x', LEAF_BYTES) }],
      ['another place', { ...proof, leafIndex: 12 }],
      ['a place past the end', { ...proof, leafIndex: 22 }],
      ['a negative place', { ...proof, leafIndex: -1 }],
      ['a place that is no number', { ...proof, leafIndex: Number.NaN }],
      ['a place between leaves', { ...proof, leafIndex: 12.5 }],
      ['a short path', { ...proof, path: proof.path.slice(1) }],
      ['a long path', { ...proof, path: [...proof.path, new Uint8Array(32)] }],
      ['no path', { ...proof, path: [] }],
      ['a path in another order', { ...proof, path: [...proof.path].reverse() }],
      ['a hash of another length', { ...proof, path: proof.path.map((node) => node.subarray(0, 31)) }],
      ['a leaf cut short', { ...proof, leaf: proof.leaf.subarray(1) }],
      [
        'the short last leaf filled with zeros',
        { ...last, leaf: Buffer.concat([last.leaf, Buffer.alloc(LEAF_BYTES - 100)]) },
      ],
      ['the size of another piece', proof, size + 1],
      ['a smaller size', proof, 14 * LEAF_BYTES],
      ['no size', proof, Number.NaN],
      ['a negative size', proof, -1],
      ['half a byte', proof, size + 0.5],
    ]
    for (const [what, forged, claimed = size] of forgeries) {
      assert.equal(isLeafProof(root, claimed, forged), false, what)
    }
    for (const [i, node] of proof.path.entries()) {
      const altered = node.slice()
      altered[i]! ^= 1
      assert.equal(isLeafProof(root, size, { ...proof, path: proof.path.with(i, altered) }), false)
    }
    assert.equal(isLeafProof(dataOf('root', 32), size, proof), false, 'another root')
  })

  test('a node in place of a leaf is refused, whatever the depth that is claimed', () => {
    const data = dataOf('depth', 4 * LEAF_BYTES)
    const leaves = hashLeaves(data)
    const root = rootFromPiece(data)
    const inner = { leafIndex: 0, leaf: leaves.subarray(0, 64), path: [topOf(leaves.subarray(64))] }
    for (const size of [128, 2 * LEAF_BYTES, 4 * LEAF_BYTES]) assert.equal(isLeafProof(root, size, inner), false)
  })
})

describe('a range of a piece', () => {
  const data = dataOf('range', 5 * UNIT_BYTES + 777)
  const units = hashUnits(data)

  test('is checked by the units that cover it', () => {
    fc.assert(
      fc.property(fc.nat(data.length - 1), fc.nat(data.length), (offset, wish) => {
        const length = Math.min(wish, data.length - offset)
        const whole = unitRangeOf(data.length, offset, length)
        assert.ok(whole.offset <= offset && whole.offset + whole.length >= offset + length)
        assert.equal(whole.offset % UNIT_BYTES, 0)
        const bytes = data.subarray(whole.offset, whole.offset + whole.length)
        if (whole.length === 0) return
        assert.ok(isUnitRange(units, whole.offset, bytes))
        const altered = bytes.slice()
        altered[offset - whole.offset]! ^= 1
        assert.equal(isUnitRange(units, whole.offset, altered), false)
      }),
      { numRuns: 60 },
    )
  })

  test('of another place, or longer than the piece, is refused', () => {
    const unit = data.subarray(0, UNIT_BYTES)
    assert.equal(isUnitRange(units, UNIT_BYTES, unit), false)
    assert.equal(isUnitRange(units, 5 * UNIT_BYTES, data.subarray(5 * UNIT_BYTES - 1)), false)
    assert.equal(isUnitRange(units, 6 * UNIT_BYTES, unit), false)
  })

  test('unit nodes of another piece, too many or too few are refused', () => {
    const root = rootFromPiece(data)
    assert.ok(areUnitsOf(root, data.length, units))
    assert.equal(areUnitsOf(root, data.length + 1, units), false)
    assert.equal(areUnitsOf(root, data.length, units.subarray(32)), false)
    assert.equal(areUnitsOf(root, data.length, Buffer.concat([units, units.subarray(0, 32)])), false)
    assert.equal(areUnitsOf(root, data.length, new Uint8Array(0)), false)
  })
})
