import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Address, addressFromPublicKey, createKeySigner, findBytesFromHex, hexFromBytes } from '@memo/core'
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
      {
        secret: '0xf9729aef404b8c13d06cf888376b04fd17581b9c308f9b4b16c020736ae89cd4',
        publicKey: '0x03d21e6c4843fa3f5d019e551131106e2075925b01da2a83dc177879a512eb608f',
        address: '0xe89971bfeea7381d47fe608d676dfb5440f0fd2e',
      },
      {
        secret: '0x9b4fc2a14cbc63a0d338377413ca72949cbb2fd5be1b08844b4b5e332597d91e',
        publicKey: '0x03ecc373891778bed36426ddcd682bf1e0b5a99a8d8534be05a000ddc4faaccea0',
        address: '0x47d4f617a654337afb121f455629ff7d92b670ea',
      },
    ]
    for (const { secret, publicKey, address } of keys) {
      const signer = createKeySigner(bytes(secret))
      assert.deepEqual([hexFromBytes(signer.publicKey), signer.address], [publicKey, address])
    }
    const keyOne = bytes('0x02d78b20654eb7a5d58d83b25d090a338eff18f0b5f919777c9d894c2e161b4b52')
    assert.equal(addressFromPublicKey(keyOne), '0x7c0491ae63e3816f96b777340b1571fea7bb21de')
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
    for (const fragment of [
      'masterKey',
      'key-1',
      'key-63',
      'key-1-multikey',
      'authentication',
      'assertion',
      'delegation',
      'recovery',
    ]) {
      assert.deepEqual(parseDidUrl(`${V1}#${fragment}`), { did: V1, fragment })
    }
  })

  test('is refused with an unknown fragment, none, a query, or a key number that is none', () => {
    const tails = [
      '',
      '#',
      '#ss',
      '#key-0',
      '#key-01',
      '#key-',
      '#key--1',
      '#masterkey',
      '?a=1',
      '?a=1#masterKey',
      '#recovery-multikey',
      '#-multikey',
    ]
    for (const tail of [...tails, '#masterKey#masterKey', '#masterKey ', '/x#masterKey']) {
      assert.throws(() => parseDidUrl(`${V1}${tail}`), BadDidError, tail)
    }
  })
})

function bytes(hex: string): Uint8Array {
  const found = findBytesFromHex(hex)
  assert.ok(found)
  return found
}
