import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Address, createKeySigner, findBytesFromHex, hexFromBytes } from '@memo/core'
import { BadDidError, deriveMemoDid, findMemoDid, parseDidUrl, parseMemoDid } from '@memo/did'
import fc from 'fast-check'

const V1 = 'did:memo:d687daa192ffa26373395872191e8502cc41fbfbf27dc07d3da3a35de57c2d96'
const HELLO = '1c8aff950685c2ed4bc3174f3472287b56d9517b9c948127319a09a7a36deac8'

describe('the id of a DID', () => {
  test('is the one that the original derives for account and number 456', () => {
    assert.equal(deriveMemoDid('0xe89971bfeea7381d47fe608d676dfb5440f0fd2e', 456), V1)
  })

  test('does not depend on the spelling of the address', () => {
    assert.equal(deriveMemoDid('0xe89971bfeEA7381d47fE608d676dfb5440F0fD2E', 456), V1)
  })

  test('is another one for each number, also where the varint grows', () => {
    const ids = [0, 1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 40].map((nonce) =>
      deriveMemoDid('0xe89971bfeea7381d47fe608d676dfb5440f0fd2e', nonce),
    )
    assert.equal(new Set(ids).size, ids.length)
  })

  test('comes from no text that is not an address, and from no number that is not whole', () => {
    assert.throws(() => deriveMemoDid('0x12' as Address, 0), BadDidError)
    for (const nonce of [-1, 0.5, Number.NaN, 2 ** 60]) {
      assert.throws(() => deriveMemoDid('0xe89971bfeea7381d47fe608d676dfb5440f0fd2e', nonce), BadDidError)
    }
  })

  test('belongs to the keys that the original published (test keys)', () => {
    const keys = [
      ['f9729aef404b8c13d06cf888376b04fd17581b9c308f9b4b16c020736ae89cd4', '0x03d21e6c', '0xe89971bfeea7381d'],
      ['9b4fc2a14cbc63a0d338377413ca72949cbb2fd5be1b08844b4b5e332597d91e', '0x03ecc373', '0x47d4f617a654337a'],
    ] as const
    for (const [secret, publicKey, address] of keys) {
      const signer = createKeySigner(findBytesFromHex(`0x${secret}`, 32) ?? new Uint8Array())
      assert.ok(hexFromBytes(signer.publicKey).startsWith(publicKey))
      assert.ok(signer.address.startsWith(address))
    }
  })
})

describe('a DID as text', () => {
  test('is taken in any case and kept in lower case', () => {
    assert.equal(parseMemoDid(`did:memo:${HELLO.toUpperCase()}`), `did:memo:${HELLO}`)
  })

  test('is refused with a prefix, another method, a fragment, a query, or another length', () => {
    const bad = [
      `did:memo:0x${HELLO}`,
      `did:mfile:${HELLO}`,
      `did:memo:${HELLO}#ss`,
      `did:memo:${HELLO}#masterKey`,
      `did:memo:${HELLO}?a=1`,
      `did:memo:${HELLO}/path`,
      `did:memo:${HELLO}\n`,
      ` did:memo:${HELLO}`,
      `DID:memo:${HELLO}`,
      `did:memo:${HELLO.slice(1)}`,
      `did:memo:${HELLO}0`,
      `did:memo:${HELLO.slice(1)}g`,
      HELLO,
      '',
    ]
    for (const text of bad) {
      assert.throws(() => parseMemoDid(text), BadDidError, text)
      assert.equal(findMemoDid(text), undefined, text)
    }
    for (const value of [undefined, null, 7, {}, [`did:memo:${HELLO}`]]) assert.equal(findMemoDid(value), undefined)
  })

  test('is found in no random text, and never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => findMemoDid(text) === undefined))
  })
})

describe('a DID URL', () => {
  test('names a key or a relation', () => {
    for (const fragment of ['masterKey', 'key-1', 'key-63', 'authentication', 'assertion', 'delegation', 'recovery']) {
      assert.deepEqual(parseDidUrl(`${V1}#${fragment}`), { did: V1, fragment })
    }
  })

  test('is refused with an unknown fragment, none, a query, or a key number that is none', () => {
    const tails = ['', '#', '#ss', '#key-0', '#key-01', '#key-', '#key--1', '#masterkey', '?a=1', '?a=1#masterKey']
    for (const tail of [...tails, '#masterKey#masterKey', '#masterKey ', '/x#masterKey']) {
      assert.throws(() => parseDidUrl(`${V1}${tail}`), BadDidError, tail)
    }
  })
})
