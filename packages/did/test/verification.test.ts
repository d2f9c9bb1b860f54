import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { addAuth, addVeri, changeDidRelation, deactivateDid, getDidNonce, type MemoChain } from '@memo/chain'
import { createKeySigner, findBytesFromHex } from '@memo/core'
import type { Devnet } from '@memo/devnet'
import { addAuthenticationKey, createMemoDid, getResolver, removeAuthenticationKey, signOperation } from '@memo/did'
import { createJWT, ES256KSigner, verifyJWT } from 'did-jwt'
import { Resolver } from 'did-resolver'
import { startNetwork } from './support/network.ts'

type ProofPurpose = 'authentication' | 'assertionMethod'

const clock = { nowMs: () => Date.now() }
/** Test keys. */
const [MASTER_SECRET, OTHER_SECRET, STRANGER_SECRET] = [0x51, 0x52, 0x53].map((byte) =>
  new Uint8Array(32).fill(byte),
) as [Uint8Array, Uint8Array, Uint8Array]
const master = createKeySigner(MASTER_SECRET)

/** Verifying is left to a library that knows nothing of MEMO but the driver for its DIDs. */
describe('what the keys of a DID signed is verified by others', () => {
  let chain: MemoChain
  let devnet: Devnet
  let did: Awaited<ReturnType<typeof createMemoDid>>

  before(async () => {
    ;({ chain, devnet } = await startNetwork())
    did = await createMemoDid(chain, master)
  })
  after(async () => await devnet?.close())

  const tokenOf = async (secret: Uint8Array, issuer: string = did, isRecoverable = false) => {
    const signer = ES256KSigner(secret, isRecoverable)
    return await createJWT({ hello: 'world' }, { issuer, signer }, { alg: isRecoverable ? 'ES256K-R' : 'ES256K' })
  }
  const verified = async (jwt: string, proofPurpose: ProofPurpose) => {
    const resolver = new Resolver(getResolver(chain, clock))
    return (await verifyJWT(jwt, { resolver: resolver as never, proofPurpose })).signer.id
  }
  const nonce = async () => await getDidNonce(chain.client, { addresses: chain.addresses, did })

  test('with the JWK or the Multikey of the master key, whichever is asked for', async () => {
    for (const url of [`${did}#masterKey`, `${did}#masterKey-multikey`]) {
      assert.equal(await verified(await tokenOf(MASTER_SECRET, url), 'authentication'), url)
    }
    assert.equal(await verified(await tokenOf(MASTER_SECRET), 'authentication'), `${did}#masterKey`)
    await assert.rejects(verified(await tokenOf(MASTER_SECRET, `${did}#key-1`), 'authentication'), /No authenticator/)
  })

  test('but not what a stranger signed, or what was changed', async () => {
    await assert.rejects(verified(await tokenOf(STRANGER_SECRET), 'authentication'), /invalid_signature/)
    const [header, , signature] = (await tokenOf(MASTER_SECRET)).split('.')
    const other = Buffer.from(JSON.stringify({ iss: did, hello: 'you' })).toString('base64url')
    await assert.rejects(verified(`${header}.${other}.${signature}`, 'authentication'), /invalid_signature/)
  })

  test('for no purpose that the chain does not give the key', async () => {
    const jwt = await tokenOf(MASTER_SECRET)
    await assert.rejects(verified(jwt, 'assertionMethod'), /no_suitable_keys/)
    const operation = { kind: 'addAssertion', did, url: `${did}#masterKey`, nonce: await nonce() } as const
    const signature = await signOperation(operation, master)
    const { addresses } = chain
    const change = { addresses, did, url: operation.url, signature, operation: 'addAssertion' } as const
    await changeDidRelation(chain.client, change)
    assert.equal(await verified(jwt, 'assertionMethod'), `${did}#masterKey`)
  })

  test('with another key from when it is added until it is taken away', async () => {
    const jwt = await tokenOf(OTHER_SECRET)
    await assert.rejects(verified(jwt, 'authentication'), /invalid_signature/)
    const url = await addAuthenticationKey(chain, did, master, createKeySigner(OTHER_SECRET).publicKey)
    assert.equal(await verified(jwt, 'authentication'), url)
    await removeAuthenticationKey(chain, did, master, url)
    await assert.rejects(verified(jwt, 'authentication'), /invalid_signature/)
  })

  test('with the account of a recovery method, whose key the chain has not', async () => {
    const methodType = 'EcdsaSecp256k1RecoveryMethod2020'
    const publicKey = findBytesFromHex(createKeySigner(STRANGER_SECRET).address, 20) ?? new Uint8Array()
    const { addresses } = chain
    const added = { kind: 'addVeri', did, methodType, controller: did, key: publicKey, nonce: await nonce() } as const
    const signature = await signOperation(added, master)
    await addVeri(chain.client, { addresses, did, methodType, publicKey, controller: did, signature })
    const url = `${did}#key-2`
    const allowed = { kind: 'addAuthentication', did, url, nonce: await nonce() } as const
    const change = { addresses, did, url, signature: await signOperation(allowed, master) }
    await addAuth(chain.client, change)
    assert.equal(await verified(await tokenOf(STRANGER_SECRET, did, true), 'authentication'), url)
  })

  test('and nothing any more once the DID is deactivated', async () => {
    const jwt = await tokenOf(MASTER_SECRET)
    const signature = await signOperation({ kind: 'deactivateDid', did, nonce: await nonce() }, master)
    await deactivateDid(chain.client, { addresses: chain.addresses, did, signature })
    await assert.rejects(verified(jwt, 'authentication'), /no_suitable_keys/)
  })
})
