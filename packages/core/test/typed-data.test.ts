import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hexFromBytes, type Network, receiptDigest, type TypedStruct, typedDigest, typeString } from '@memo/core'
import fc from 'fast-check'
import { hashTypedData } from 'viem'
import { dataOf } from './support/data.ts'

const network: Network = { chainId: 985, registry: '0x00000000000000000000000000000000000000aa' }

const STRUCT: TypedStruct = {
  name: 'Everything',
  fields: [
    ['text', 'string'],
    ['hash', 'bytes32'],
    ['who', 'address'],
    ['small', 'uint64'],
    ['large', 'uint256'],
    ['raw', 'bytes'],
  ],
}

type Values = { text: string; hash: Uint8Array; who: Uint8Array; small: bigint; large: bigint; raw: Uint8Array }

function digestByViem(on: Network, struct: TypedStruct, message: Record<string, unknown>): string {
  return hashTypedData({
    domain: { name: 'MEMO', version: '1', chainId: on.chainId, verifyingContract: on.registry },
    types: { [struct.name]: struct.fields.map(([name, type]) => ({ name, type })) },
    primaryType: struct.name,
    message,
  })
}

const values: fc.Arbitrary<Values> = fc.record({
  text: fc.string({ unit: 'binary' }),
  hash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  who: fc.uint8Array({ minLength: 20, maxLength: 20 }),
  small: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  large: fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
  raw: fc.uint8Array(),
})

describe('typed data', () => {
  test('hashes to what viem finds, whatever the values', () => {
    fc.assert(
      fc.property(values, fc.nat(), (value, chainId) => {
        const on = { ...network, chainId }
        const message = {
          ...value,
          hash: hexFromBytes(value.hash),
          who: hexFromBytes(value.who),
          raw: hexFromBytes(value.raw),
        }
        assert.equal(hexFromBytes(typedDigest(on, STRUCT, value)), digestByViem(on, STRUCT, message))
        assert.equal(hexFromBytes(typedDigest(on, STRUCT, message)), digestByViem(on, STRUCT, message))
      }),
    )
  })

  test('is bound to its chain and registry', () => {
    const terms = { orderId: 1, root: dataOf('root', 32), sizeBytes: 2, expiry: 3 }
    const digests = [
      network,
      { ...network, chainId: 986 },
      { ...network, registry: '0x00000000000000000000000000000000000000ab' as const },
    ].map((on) => hexFromBytes(receiptDigest(on, terms)))
    assert.equal(new Set(digests).size, 3)
  })

  test('a receipt is signed over the struct that contracts know', () => {
    const root = dataOf('root', 32)
    const struct: TypedStruct = {
      name: 'Receipt',
      fields: [
        ['orderId', 'uint64'],
        ['root', 'bytes32'],
        ['sizeBytes', 'uint64'],
        ['expiry', 'uint64'],
      ],
    }
    assert.equal(typeString(struct), 'Receipt(uint64 orderId,bytes32 root,uint64 sizeBytes,uint64 expiry)')
    const digest = receiptDigest(network, { orderId: 7, root, sizeBytes: 1_048_640, expiry: 1_800_000_000 })
    const message = { orderId: 7n, root: hexFromBytes(root), sizeBytes: 1_048_640n, expiry: 1_800_000_000n }
    assert.equal(hexFromBytes(digest), digestByViem(network, struct, message))
  })

  test('with a value that does not fit its field is a bug, not another digest', () => {
    const good = {
      text: '',
      hash: new Uint8Array(32),
      who: new Uint8Array(20),
      small: 0,
      large: 0,
      raw: new Uint8Array(0),
    }
    for (const bad of [
      { small: -1 },
      { small: 2n ** 64n },
      { large: 2n ** 256n },
      { hash: new Uint8Array(31) },
      { who: '0x1234' },
      { raw: 'no hex' },
    ]) {
      assert.throws(() => typedDigest(network, STRUCT, { ...good, ...bad }), { name: 'AssertionError' })
    }
    const { text: _, ...lacking } = good
    assert.throws(() => typedDigest(network, STRUCT, lacking), { name: 'AssertionError' })
  })
})
