import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { encode } from '@ipld/dag-cbor'
import {
  type Address,
  decodeManifest,
  decodePlacement,
  decodeSignedEntry,
  encodeManifest,
  encodePlacement,
  findAckFromJson,
  findReceiptFromJson,
  type Hex,
  hexFromBytes,
  isAckOf,
  isReceipt,
  loginDigest,
  type Network,
  receiptDigest,
  unwrapKey,
  ZERO_HASH,
} from '@memo/core'
import { hashTypedData, recoverAddress } from 'viem'
import { bytes } from './support/keys.ts'
import { manifest, placement } from './support/records.ts'
import { readVectors } from './support/vectors.ts'

type Vectors = {
  network: Network
  manifest: { fields: { name: string; contentKey: Hex }; bytes: Hex }
  wrappedKey: { secretKey: Hex; key: Hex; wrapped: Hex }
  placement: { fields: { pieces: [Hex, Address, number][] }; partId: Hex; bytes: Hex }
  entries: { did: string; writer: Address; seq: number; kind: string; bytes: Hex; hash: Hex; signature: Hex }[]
  receipt: { digest: Hex; provider: Address; signature: Hex }
  acknowledgement: { signature: Hex; keeper: Address }
  login: { did: string; token: Hex; timestamp: number; digest: Hex }
}

const vectors = readVectors<Vectors>('objects')
const sha256 = (...parts: (string | Uint8Array)[]) => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return `0x${hash.digest('hex')}`
}

describe('the records that other implementations read', () => {
  test('a manifest', () => {
    assert.deepEqual(decodeManifest(bytes(vectors.manifest.bytes)), manifest)
    assert.equal(hexFromBytes(encodeManifest(manifest)), vectors.manifest.bytes)
    assert.equal(vectors.manifest.fields.name, manifest.name)
  })

  test('a wrapped key', () => {
    const { secretKey, key, wrapped } = vectors.wrappedKey
    assert.equal(hexFromBytes(unwrapKey(bytes(secretKey), bytes(wrapped))), key)
  })

  test('a placement, and its part id as the rule says it', () => {
    assert.deepEqual(decodePlacement(bytes(vectors.placement.bytes)), placement)
    assert.equal(hexFromBytes(encodePlacement(placement)), vectors.placement.bytes)
    const roots = vectors.placement.fields.pieces.map(([root]) => bytes(root))
    assert.equal(sha256('memo-part-v1', encode([4, 2, placement.sizeBytes, roots])), vectors.placement.partId)
    assert.equal(hexFromBytes(placement.partId), vectors.placement.partId)
  })

  test('the entries of a log, hashed, linked and signed as the rule says it', async () => {
    let previous: Hex = hexFromBytes(ZERO_HASH)
    for (const { did, writer, seq, kind, bytes: encoded, hash, signature } of vectors.entries) {
      const signed = decodeSignedEntry(vectors.network, bytes(encoded), bytes(signature))
      assert.equal(sha256('memo-entry-v1', bytes(encoded)), hash)
      assert.equal(hexFromBytes(signed.entry.previous), previous)
      assert.equal(signed.entry.action.kind, kind)
      const digest = hashTypedData({
        domain: {
          name: 'MEMO',
          version: '1',
          chainId: vectors.network.chainId,
          verifyingContract: vectors.network.registry,
        },
        types: {
          IndexEntry: [
            { name: 'did', type: 'string' },
            { name: 'writer', type: 'address' },
            { name: 'seq', type: 'uint64' },
            { name: 'entryHash', type: 'bytes32' },
          ],
        },
        primaryType: 'IndexEntry',
        message: { did, writer, seq: BigInt(seq), entryHash: hash },
      })
      assert.equal((await recoverAddress({ hash: digest, signature })).toLowerCase(), writer)
      previous = hash
    }
  })

  test('a receipt and an acknowledgement', async () => {
    const receipt = findReceiptFromJson(vectors.receipt)
    assert.ok(receipt && isReceipt(vectors.network, receipt))
    assert.equal(hexFromBytes(receiptDigest(vectors.network, receipt)), vectors.receipt.digest)
    const { digest, signature, provider } = vectors.receipt
    assert.equal((await recoverAddress({ hash: digest, signature })).toLowerCase(), provider)
    const [first] = vectors.entries
    const signed = decodeSignedEntry(vectors.network, bytes(first!.bytes), bytes(first!.signature))
    const ack = findAckFromJson(vectors.acknowledgement)
    assert.ok(ack && isAckOf(vectors.network, signed, ack))
  })

  test('a login digest', () => {
    const { did, token, timestamp, digest } = vectors.login
    assert.equal(hexFromBytes(loginDigest(did, bytes(token), timestamp)), digest)
  })
})
