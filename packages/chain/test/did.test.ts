import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { findBytesFromHex } from '@memo/core'
import { type Hex, hashTypedData } from 'viem'
import { sign } from 'viem/accounts'
import {
  addAuth,
  addDelegation,
  addVeri,
  ContractRefused,
  changeDidRelation,
  createDid,
  deactivateDid,
  deactivateVeri,
  findDid,
  findDidDocumentData,
  getDidDocumentData,
  getDidNonce,
  type MemoChain,
  removeAuth,
  updateVeri,
} from '../src/index.ts'
import { type DidVector, makeDidVectors, masterSecret } from './support/did-vectors.ts'
import { startNetwork, type TestNetwork } from './support/network.ts'

const vectors = JSON.parse(readFileSync(new URL('../../../spec/vectors/did.json', import.meta.url), 'utf8'))
const did = `did:memo:${vectors.did}`
const url = `${did}#key-1`
const bytes = (hex: string): Uint8Array => findBytesFromHex(hex) ?? new Uint8Array()

test('the vector file is what viem alone computes', async () => {
  assert.deepEqual(vectors, JSON.parse(JSON.stringify(await makeDidVectors())))
})

test('the vectors contain the published creation and id', () => {
  assert.equal(vectors.did, 'd687daa192ffa26373395872191e8502cc41fbfbf27dc07d3da3a35de57c2d96')
  assert.equal(
    vectors.operations[0].signature,
    '0x2aa4a7d36e9d638981086dde92cca6543ca04db4ea873a64b7ad61419abf1fd628df9d7e6ecb18187b3b2bec318dc0a890fed45f41de75f9ae346d63aadc5d9701',
  )
})

describe('a DID on the chain', () => {
  let network: TestNetwork
  let relayer: MemoChain
  before(async () => {
    network = await startNetwork()
    relayer = await network.join(0x30)
  })
  after(() => network.devnet.close())

  test('does not exist before its creation', async () => {
    const { client, addresses } = relayer
    assert.equal(await findDid(client, { addresses, did }), undefined)
    assert.equal(await findDidDocumentData(client, { addresses, did }), undefined)
    assert.equal(await getDidNonce(client, { addresses, did }), 0n)
    await assert.rejects(send(relayer, 1), refusedFor('DidUnknown'))
  })

  test('is created by a relayer and belongs to the signer of its key', async () => {
    const { client, addresses } = relayer
    await send(relayer, 0)
    const record = await findDid(client, { addresses, did })
    assert.equal(record?.masterAddress, vectors.masterAddress.toLowerCase())
    assert.deepEqual(
      record?.authenticationKeys.map(({ id, address }) => [id, address]),
      [['masterKey', vectors.masterAddress.toLowerCase()]],
    )
    await assert.rejects(send(relayer, 0), refusedFor('DidExists'))
  })

  test('lets a second key log in exactly while it is in authentication', async () => {
    const { client, addresses } = relayer
    const keys = async (): Promise<(string | undefined)[]> =>
      (await findDid(client, { addresses, did }))?.authenticationKeys.map((key) => key.id) ?? []
    await send(relayer, 1)
    assert.deepEqual(await keys(), ['masterKey'])
    await send(relayer, 2)
    assert.deepEqual(await keys(), ['masterKey', 'key-1'])
  })

  test('shows its relations until they are taken back', async () => {
    const { client, addresses } = relayer
    for (const nonce of [3, 4, 5, 6]) await send(relayer, nonce)
    const data = await getDidDocumentData(client, { addresses, did })
    assert.deepEqual(data.relations, {
      authentication: [url],
      assertion: [url],
      recovery: [url],
      delegation: [{ url, expiration: 1_800_000_000n }],
    })
    assert.deepEqual(data.methods[1]?.publicKey, bytes(vectors.otherPublicKey), 'key-1 was updated')
    for (const nonce of [7, 8, 9, 10]) await send(relayer, nonce)
    const { relations } = await getDidDocumentData(client, { addresses, did })
    assert.deepEqual(relations, { authentication: [], assertion: [], recovery: [], delegation: [] })
  })

  test('takes the EIP-712 form for this chain and contract, and for no other', async () => {
    const { client, addresses } = relayer
    const removal = await typedRelation(relayer, 11n, addresses.didProxy)
    const elsewhere = await typedRelation(relayer, 11n, addresses.roles)
    await assert.rejects(
      addAuth(client, { addresses, did, url, signature: bytes(elsewhere) }),
      refusedFor('WrongSignature'),
    )
    await addAuth(client, { addresses, did, url, signature: bytes(removal) })
    assert.equal(await getDidNonce(client, { addresses, did }), 12n)
  })

  test('is read in whatever case its id is written', async () => {
    const { client, addresses } = relayer
    const upper = `did:memo:${vectors.did.toUpperCase()}`
    assert.equal((await findDid(client, { addresses, did: upper }))?.did, did)
    await assert.rejects(findDid(client, { addresses, did: 'did:memo:xyz' }), { name: 'BadInputError' })
  })
})

test('a deactivated DID still answers, and nobody may log in for it', async (context) => {
  const network = await startNetwork()
  context.after(() => network.devnet.close())
  const { client, addresses } = await network.join(0x31)
  await send(network.owner, 0)
  const hash = hashTypedData({
    domain: { name: 'MEMO', version: '1', chainId: 985, verifyingContract: addresses.didProxy },
    types: {
      DeactivateDID: [
        { name: 'did', type: 'string' },
        { name: 'nonce', type: 'uint64' },
      ],
    },
    primaryType: 'DeactivateDID',
    message: { did: vectors.did, nonce: 1n },
  })
  const signature = bytes(await sign({ hash, privateKey: masterSecret, to: 'hex' }))
  await deactivateDid(client, { addresses, did, signature })
  const record = await findDid(client, { addresses, did })
  assert.equal(record?.deactivated, true)
  assert.deepEqual(record?.authenticationKeys, [])
  await assert.rejects(send(network.owner, 2), refusedFor('DidDeactivated'))
})

function refusedFor(reason: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ContractRefused, String(error))
    assert.equal(error.reason, reason)
    return true
  }
}

async function typedRelation(chain: MemoChain, nonce: bigint, verifyingContract: Hex): Promise<Hex> {
  const hash = hashTypedData({
    domain: { name: 'MEMO', version: '1', chainId: chain.network.chainId, verifyingContract },
    types: {
      AddAuthentication: [
        { name: 'did', type: 'string' },
        { name: 'id', type: 'string' },
        { name: 'nonce', type: 'uint64' },
      ],
    },
    primaryType: 'AddAuthentication',
    message: { did: vectors.did, id: url, nonce },
  })
  return sign({ hash, privateKey: masterSecret, to: 'hex' })
}

/** Relays operation `nonce` of the vectors in its legacy form. */
async function send({ client, addresses }: MemoChain, nonce: number): Promise<unknown> {
  const vector = vectors.operations[nonce] as DidVector
  const { operation, methodType, index } = vector
  const common = { addresses, did, signature: bytes(vector.signature) }
  const keyed = { ...common, methodType, publicKey: bytes(vector.publicKey) }
  switch (operation) {
    case 'createDID':
      return createDid(client, keyed)
    case 'addVerification':
      return addVeri(client, { ...keyed, controller: did })
    case 'updateVerificationMethod':
      return updateVeri(client, { ...keyed, index })
    case 'deactivateVerification':
      return deactivateVeri(client, { ...common, index })
    case 'deactivateDID':
      return deactivateDid(client, common)
    case 'addDelegation':
      return addDelegation(client, { ...common, url, expiration: BigInt(vector.expiration) })
    case 'addAuthentication':
      return addAuth(client, { ...common, url })
    case 'removeAuthentication':
      return removeAuth(client, { ...common, url })
    default:
      return changeDidRelation(client, { ...common, url, operation: operation as 'addAssertion' })
  }
}
