import assert from 'node:assert/strict'
import { createHash, createPublicKey, generateKeyPairSync, type JsonWebKey, sign, verify } from 'node:crypto'
import { describe, test } from 'node:test'
import type { DidDocumentData, DidMethod } from '@memo/chain'
import { createKeySigner, findBytesFromHex, hexFromBytes, utf8 } from '@memo/core'
import { type DidDocument, documentFromData, parseDidUrl } from '@memo/did'
import fc from 'fast-check'
import { base58btc } from 'multiformats/bases/base58'

const ID = 'd687daa192ffa26373395872191e8502cc41fbfbf27dc07d3da3a35de57c2d96'
const DID = `did:memo:${ID}`
/** The published test key of this DID. */
const MASTER = createKeySigner(
  findBytesFromHex('0xf9729aef404b8c13d06cf888376b04fd17581b9c308f9b4b16c020736ae89cd4') ?? new Uint8Array(),
)
const CHAIN_ID = 985
const SECP256K1 = 'EcdsaSecp256k1VerificationKey2019'
const KEY_PROPERTIES = ['publicKeyJwk', 'publicKeyMultibase', 'publicKeyBase58', 'publicKeyHex', 'blockchainAccountId']

function documentOf(keys: readonly Partial<DidMethod>[], relations: Partial<DidDocumentData['relations']> = {}) {
  const methods = [{ type: SECP256K1, publicKey: MASTER.publicKey }, ...keys].map((key, index) => ({
    id: index === 0 ? 'masterKey' : `key-${index}`,
    index,
    type: SECP256K1,
    controller: ID,
    publicKey: new Uint8Array(),
    deactivated: false,
    ...key,
  }))
  const none = { authentication: [], assertion: [], recovery: [], delegation: [] }
  const data = { did: DID, deactivated: false, masterAddress: MASTER.address, methods }
  return documentFromData({ ...data, relations: { ...none, ...relations } }, CHAIN_ID, 0)
}

/** What DID Core 5.2 and 5.3 ask of any document, whatever is in it. */
function assertSound(document: DidDocument): void {
  const ids = document.verificationMethod.map(({ id }) => id)
  assert.equal(new Set(ids).size, ids.length, 'an id names one method')
  for (const method of document.verificationMethod) {
    const ways = KEY_PROPERTIES.filter((property) => property in method)
    assert.equal(ways.length, 1, `${method.id} says its key as ${ways.join(' and ')}`)
    assert.equal(`${DID}#${parseDidUrl(method.id).fragment}`, method.id)
  }
  for (const relation of ['authentication', 'assertionMethod', 'capabilityDelegation'] as const) {
    const own = document[relation].filter((url) => url.startsWith(DID))
    assert.deepEqual(
      own.filter((url) => !ids.includes(url)),
      [],
      `${relation} names what is not there`,
    )
  }
}

describe('the document of the published DID', () => {
  const document = documentOf([])

  test('says the master key as a JWK, as a Multikey, and as the original does', () => {
    const base = { id: `${DID}#masterKey`, type: SECP256K1, controller: DID }
    // Of the key itself, written down apart from the code; y is proved by what it verifies.
    const x = '0h5sSEP6P10BnlURMRBuIHWSWwHaKoPcF3h5pRLrYI8'
    const [own, multikey] = document.verificationMethod
    assert.deepEqual(
      { ...own, publicKeyJwk: { ...own?.publicKeyJwk, y: '' } },
      {
        ...base,
        publicKeyJwk: { kty: 'EC', crv: 'secp256k1', x, y: '' },
      },
    )
    assert.deepEqual(Object.keys(multikey ?? {}), ['id', 'type', 'controller', 'publicKeyMultibase'])
    assert.deepEqual([multikey?.id, multikey?.type, multikey?.controller], [`${base.id}-multikey`, 'Multikey', DID])
    assert.deepEqual(base58btc.decode(multikey?.publicKeyMultibase as 'z'), Uint8Array.of(0xe7, 1, ...MASTER.publicKey))
    assert.deepEqual(document.verifycationMethod, [{ ...base, publicKeyHex: hexFromBytes(MASTER.publicKey) }])
    assertSound(document)
  })

  test('has a JWK that verifies what the key signed, and nothing else', async () => {
    const key = createPublicKey({ key: document.verificationMethod[0]?.publicKeyJwk as JsonWebKey, format: 'jwk' })
    const message = utf8('hello')
    const signature = (await MASTER.signDigest(createHash('sha256').update(message).digest())).subarray(0, 64)
    const isSigned = (what: Uint8Array) => verify('sha256', what, { key, dsaEncoding: 'ieee-p1363' }, signature)
    assert.equal(isSigned(message), true)
    assert.equal(isSigned(utf8('hallo')), false)
  })
})

describe('a document', () => {
  test('is sound for any keys, and its JWKs are points that OpenSSL takes', () => {
    const secret = fc.bigInt({ min: 1n, max: (1n << 255n) - 1n }).map((value) => value.toString(16).padStart(64, '0'))
    fc.assert(
      fc.property(fc.array(secret, { maxLength: 4 }), (secrets) => {
        const keys = secrets.map((hex) => createKeySigner(findBytesFromHex(`0x${hex}`) ?? new Uint8Array()).publicKey)
        const urls = keys.map((_, index) => `${DID}#key-${index + 1}`)
        const document = documentOf(
          keys.map((publicKey) => ({ publicKey })),
          { authentication: urls, assertion: urls, delegation: urls.map((url) => ({ url, expiration: 1n })) },
        )
        assertSound(document)
        assert.equal(document.authentication.length, 2 * (keys.length + 1))
        assert.equal(document.assertionMethod.length, 2 * keys.length)
        for (const { publicKeyJwk } of document.verificationMethod) {
          if (publicKeyJwk) createPublicKey({ key: { ...publicKeyJwk }, format: 'jwk' })
        }
      }),
      { numRuns: 30 },
    )
  })

  test('says an Ed25519 key so that what it signed can be verified', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const raw = Uint8Array.from(Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url'))
    const url = `${DID}#key-1`
    const document = documentOf([{ type: 'Ed25519VerificationKey2018', publicKey: raw }], { assertion: [url] })
    const [own, multikey] = document.verificationMethod.slice(2)
    assert.deepEqual([own?.id, own?.type], [url, 'Ed25519VerificationKey2018'])
    assert.deepEqual(document.assertionMethod, [url, `${url}-multikey`])
    const said = [
      base58btc.baseDecode(own?.publicKeyBase58 ?? ''),
      base58btc.decode(multikey?.publicKeyMultibase as 'z'),
    ]
    assert.deepEqual(Uint8Array.of(0xed, 1, ...(said[0] ?? [])), said[1])
    const x = Buffer.from(said[0] ?? []).toString('base64url')
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    assert.ok(verify(null, utf8('hello'), key, sign(null, utf8('hello'), privateKey)))
    assertSound(document)
  })

  test('offers no key for verifying where the bytes on the chain are none, and no relation with it', () => {
    const bad = [new Uint8Array(), new Uint8Array(33), Uint8Array.of(2, ...new Uint8Array(32).fill(0xff)), utf8('key')]
    const urls = bad.map((_, index) => `${DID}#key-${index + 1}`)
    const document = documentOf(
      bad.map((publicKey) => ({ publicKey })),
      { authentication: urls, assertion: urls },
    )
    assert.deepEqual(document, { ...documentOf([]), verifycationMethod: document.verifycationMethod })
    assert.equal(document.verifycationMethod.length, 1 + bad.length, 'the original shows what the chain has')
    assertSound(document)
  })

  test('offers no Ed25519 key that has not its length', () => {
    const document = documentOf([{ type: 'Ed25519VerificationKey2018', publicKey: new Uint8Array(31) }])
    assert.equal(document.verificationMethod.length, 2)
  })

  test('takes no URL of its own from the chain that no living key has, and any of others', () => {
    const other = `did:memo:${'1'.repeat(64)}#masterKey`
    const urls = [`${DID}#key-1`, `${DID}#key-2`, `${DID}#masterKey-multikey`, `${DID}#`, other, other]
    const document = documentOf([{ publicKey: MASTER.publicKey, deactivated: true }], {
      authentication: urls,
      assertion: urls,
      recovery: urls,
    })
    assert.deepEqual(document.authentication, [`${DID}#masterKey`, `${DID}#masterKey-multikey`, other])
    assert.deepEqual([document.assertionMethod, document.recovery], [[other], [other]])
    assertSound(document)
  })
})
