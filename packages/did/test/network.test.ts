import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  addDelegation,
  addVeri,
  changeDidRelation,
  createDid,
  deactivateDid,
  deactivateVeri,
  getDidNonce,
  type MemoChain,
} from '@memo/chain'
import { createKeySigner, hexFromBytes, NotFoundError, type Signer } from '@memo/core'
import type { Devnet } from '@memo/devnet'
import {
  addAuthenticationKey,
  BadDidError,
  createMemoDid,
  DidTakenError,
  dereferenceDidUrl,
  deriveMemoDid,
  getResolver,
  type MemoDid,
  removeAuthenticationKey,
  resolveDid,
  signOperation,
} from '@memo/did'
import { Resolver } from 'did-resolver'
import { startNetwork } from './support/network.ts'

let chain: MemoChain
let devnet: Devnet
let keys = 0
const clock = { nowMs: () => Date.now() }

before(async () => {
  ;({ chain, devnet } = await startNetwork())
})
after(async () => await devnet.close())

/** A test key that nobody used before. */
function freshKey(): Signer {
  keys += 1
  return createKeySigner(new Uint8Array(32).fill(0x40).with(31, keys))
}

async function freshDid(): Promise<{ readonly did: MemoDid; readonly master: Signer }> {
  const master = freshKey()
  return { did: await createMemoDid(chain, master), master }
}

/** The ids of the two ways in which a document writes a key. */
function bothOf(url: string): readonly string[] {
  return [url, `${url}-multikey`]
}

async function nonceOf(did: MemoDid): Promise<bigint> {
  return await getDidNonce(chain.client, { addresses: chain.addresses, did })
}

describe('creating a DID', () => {
  test('gives the derived DID, with the master key as its one key and the master address derived from it', async () => {
    const { did, master } = await freshDid()
    assert.equal(did, deriveMemoDid(master.address, 0))
    const record = await chain.findDid(did)
    assert.equal(record?.masterAddress, master.address)
    assert.deepEqual(
      record?.authenticationKeys.map((key) => key.address),
      [master.address],
    )
  })

  test('a second and a concurrent time is no error and gives the same DID', async () => {
    const master = freshKey()
    const first = await createMemoDid(chain, master)
    assert.deepEqual(await Promise.all([createMemoDid(chain, master), createMemoDid(chain, master)]), [first, first])
    const other = freshKey()
    const [one, two] = await Promise.all([createMemoDid(chain, other), createMemoDid(chain, other)])
    assert.equal(one, two)
  })

  test('with the legacy signature of the original works as well', async () => {
    const master = freshKey()
    const did = deriveMemoDid(master.address, 7)
    const methodType = 'EcdsaSecp256k1VerificationKey2019'
    const signature = await signOperation({ kind: 'createDid', did, methodType, key: master.publicKey }, master)
    const { addresses } = chain
    await createDid(chain.client, { addresses, did, methodType, publicKey: master.publicKey, signature })
    assert.equal((await resolveDid(chain, clock, did)).id, did)
  })

  test('fails with its own error where somebody else took the id, and takes nothing over', async () => {
    const [master, squatter] = [freshKey(), freshKey()]
    const did = deriveMemoDid(master.address, 0)
    const methodType = 'EcdsaSecp256k1VerificationKey2019'
    const operation = { kind: 'createDid', did, methodType, key: squatter.publicKey } as const
    const signature = await signOperation(operation, squatter)
    const { addresses } = chain
    await createDid(chain.client, { addresses, did, methodType, publicKey: squatter.publicKey, signature })
    await assert.rejects(createMemoDid(chain, master), DidTakenError)
    assert.equal((await createMemoDid(chain, master, 1)).length, did.length)
  })
})

describe('a key that authenticates', () => {
  test('is added with its URL, and adding it again changes nothing', async () => {
    const { did, master } = await freshDid()
    const key = freshKey()
    const url = await addAuthenticationKey(chain, did, master, key.publicKey)
    assert.equal(url, `${did}#key-1`)
    const nonce = await nonceOf(did)
    assert.equal(await addAuthenticationKey(chain, did, master, key.publicKey), url)
    assert.equal(await nonceOf(did), nonce)
    const record = await chain.findDid(did)
    assert.deepEqual(
      record?.authenticationKeys.map((known) => known.address),
      [master.address, key.address],
    )
  })

  test('is added to the relation only, where an earlier attempt ended between the two steps', async () => {
    const { did, master } = await freshDid()
    const key = freshKey()
    const methodType = 'EcdsaSecp256k1VerificationKey2019'
    const nonce = await nonceOf(did)
    const operation = { kind: 'addVeri', did, methodType, controller: did, key: key.publicKey, nonce } as const
    const signature = await signOperation(operation, master)
    const base = { addresses: chain.addresses, did, methodType, publicKey: key.publicKey, signature }
    await addVeri(chain.client, { ...base, controller: did })
    assert.equal(await addAuthenticationKey(chain, did, master, key.publicKey), `${did}#key-1`)
    assert.equal((await resolveDid(chain, clock, did)).verifycationMethod.length, 2)
  })

  test('cannot be added by anybody but the master', async () => {
    const { did } = await freshDid()
    const stranger = freshKey()
    await assert.rejects(addAuthenticationKey(chain, did, stranger, stranger.publicKey), { name: 'ContractRefused' })
  })

  test('once removed stands in the document but authenticates no more', async () => {
    const { did, master } = await freshDid()
    const url = await addAuthenticationKey(chain, did, master, freshKey().publicKey)
    await removeAuthenticationKey(chain, did, master, url)
    const document = await resolveDid(chain, clock, did)
    assert.deepEqual(document.authentication, bothOf(`${did}#masterKey`))
    assert.equal(document.verificationMethod.length, 4)
    assert.equal((await chain.findDid(did))?.authenticationKeys.length, 1)
  })

  test('once deactivated is nowhere in the document, and its URL names nothing', async () => {
    const { did, master } = await freshDid()
    const url = await addAuthenticationKey(chain, did, master, freshKey().publicKey)
    const nonce = await nonceOf(did)
    const signature = await signOperation({ kind: 'deactivateVeri', did, index: 1, nonce }, master)
    await deactivateVeri(chain.client, { addresses: chain.addresses, did, index: 1, signature })
    const document = await resolveDid(chain, clock, did)
    assert.deepEqual(document.authentication, bothOf(`${did}#masterKey`))
    assert.equal(document.verificationMethod.length, 2)
    await assert.rejects(dereferenceDidUrl(chain, clock, url), NotFoundError)
    assert.equal((await chain.findDid(did))?.authenticationKeys.length, 1)
  })
})

describe('the document', () => {
  test('has what W3C DID Core asks for, and the spelling of the original beside it', async () => {
    const { did, master } = await freshDid()
    const document = await resolveDid(chain, clock, did)
    assert.equal(document['@context'][0], 'https://www.w3.org/ns/did/v1')
    assert.equal(document.id, did)
    const base = { id: `${did}#masterKey`, type: 'EcdsaSecp256k1VerificationKey2019', controller: did }
    assert.deepEqual(document.verifycationMethod, [{ ...base, publicKeyHex: hexFromBytes(master.publicKey) }])
    const [own, multikey] = document.verificationMethod
    assert.deepEqual({ ...own, publicKeyJwk: undefined }, { ...base, publicKeyJwk: undefined })
    assert.equal(own?.publicKeyJwk?.crv, 'secp256k1')
    assert.match(multikey?.publicKeyMultibase ?? '', /^zQ3s[1-9A-HJ-NP-Za-km-z]+$/)
    assert.deepEqual(document.authentication, bothOf(`${did}#masterKey`))
  })

  test('names a recovery method by the account that it is on this chain', async () => {
    const { did, master } = await freshDid()
    const methodType = 'EcdsaSecp256k1RecoveryMethod2020'
    const key = Uint8Array.from(Buffer.from(master.address.slice(2), 'hex'))
    const nonce = await nonceOf(did)
    const signature = await signOperation({ kind: 'addVeri', did, methodType, controller: did, key, nonce }, master)
    const { addresses } = chain
    await addVeri(chain.client, { addresses, did, methodType, publicKey: key, controller: did, signature })
    const blockchainAccountId = `eip155:${chain.network.chainId}:${master.address}`
    const method = { id: `${did}#key-1`, type: methodType, controller: did, blockchainAccountId }
    const document = await resolveDid(chain, clock, did)
    assert.deepEqual(document.verificationMethod[2], method)
    assert.deepEqual(document.verifycationMethod[1], method)
  })

  test('shows a delegation until it ends', async () => {
    const { did, master } = await freshDid()
    const url = await addAuthenticationKey(chain, did, master, freshKey().publicKey)
    const nonce = await nonceOf(did)
    const expiration = 2_000_000_000n
    const signature = await signOperation({ kind: 'addDelegation', did, url, expiration, nonce }, master)
    await addDelegation(chain.client, { addresses: chain.addresses, did, url, expiration, signature })
    const at = async (seconds: number) =>
      (await resolveDid(chain, { nowMs: () => seconds * 1000 }, did)).capabilityDelegation
    assert.deepEqual(await at(2_000_000_000), bothOf(url))
    assert.deepEqual(await at(2_000_000_001), [])
  })

  test('names a relation once, though its key was added twice', async () => {
    const { did, master } = await freshDid()
    const url = `${did}#masterKey`
    for (let round = 0; round < 2; round += 1) {
      const nonce = await nonceOf(did)
      const signature = await signOperation({ kind: 'addAssertion', did, url, nonce }, master)
      await changeDidRelation(chain.client, {
        addresses: chain.addresses,
        did,
        url,
        signature,
        operation: 'addAssertion',
      })
    }
    assert.deepEqual((await resolveDid(chain, clock, did)).assertionMethod, bothOf(url))
  })
})

describe('a deactivated DID', () => {
  test('has no key and no relation left, says so to resolvers, and cannot be created again', async () => {
    const { did, master } = await freshDid()
    await addAuthenticationKey(chain, did, master, freshKey().publicKey)
    const signature = await signOperation({ kind: 'deactivateDid', did, nonce: await nonceOf(did) }, master)
    await deactivateDid(chain.client, { addresses: chain.addresses, did, signature })

    const document = await resolveDid(chain, clock, did)
    assert.deepEqual([document.verificationMethod, document.authentication], [[], []])
    assert.equal((await chain.findDid(did))?.deactivated, true)
    await assert.rejects(dereferenceDidUrl(chain, clock, `${did}#masterKey`), NotFoundError)
    assert.deepEqual(await dereferenceDidUrl(chain, clock, `${did}#authentication`), [])
    const result = await new Resolver(getResolver(chain, clock)).resolve(did)
    assert.equal(result.didDocumentMetadata.deactivated, true)
    await assert.rejects(createMemoDid(chain, master), DidTakenError)
  })
})

describe('resolving', () => {
  test('through did-resolver gives the document, in whatever case the DID is spelt', async () => {
    const { did } = await freshDid()
    const resolver = new Resolver(getResolver(chain, clock))
    for (const spelling of [did, `did:memo:${did.slice(9).toUpperCase()}`]) {
      const { didDocument, didResolutionMetadata } = await resolver.resolve(spelling)
      assert.equal(didDocument?.id, did)
      assert.equal(didResolutionMetadata.contentType, 'application/did+ld+json')
    }
  })

  test('answers what is wrong: unknown, no Memo DID, chain not there', async () => {
    const resolver = new Resolver(getResolver(chain, clock))
    const unknown = `did:memo:${'0'.repeat(64)}`
    assert.equal((await resolver.resolve(unknown)).didResolutionMetadata.error, 'notFound')
    assert.equal((await resolver.resolve('did:memo:0x12')).didResolutionMetadata.error, 'invalidDid')
    await assert.rejects(resolveDid(chain, clock, unknown), NotFoundError)
    await assert.rejects(resolveDid(chain, clock, 'did:memo:12'), BadDidError)

    const other = await startNetwork()
    await other.devnet.close()
    const { didResolutionMetadata } = await new Resolver(getResolver(other.chain, clock)).resolve(unknown)
    assert.equal(didResolutionMetadata.error, 'internalError')
  })

  test('of a URL gives one key, or all keys of a relation, and nothing for what is not there', async () => {
    const { did, master } = await freshDid()
    const url = await addAuthenticationKey(chain, did, master, freshKey().publicKey)
    const idsOf = async (fragment: string) =>
      (await dereferenceDidUrl(chain, clock, `${did}#${fragment}`)).map((method) => method.id)
    assert.deepEqual(await idsOf('masterKey'), [`${did}#masterKey`])
    assert.deepEqual(await idsOf('key-1'), [url])
    assert.deepEqual(await idsOf('key-1-multikey'), [`${url}-multikey`])
    assert.deepEqual(await idsOf('authentication'), [...bothOf(`${did}#masterKey`), ...bothOf(url)])
    assert.deepEqual(await idsOf('recovery'), [])
    await assert.rejects(idsOf('key-2'), NotFoundError)
    await assert.rejects(idsOf('key-2-multikey'), NotFoundError)
    await assert.rejects(idsOf('ss'), BadDidError)
    await assert.rejects(dereferenceDidUrl(chain, clock, `did:memo:${'1'.repeat(64)}#masterKey`), NotFoundError)
  })
})
