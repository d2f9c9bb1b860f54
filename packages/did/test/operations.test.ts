import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import {
  type Address,
  concatBytes,
  createKeySigner,
  findBytesFromHex,
  hexFromBytes,
  keccak256,
  uint64be,
  utf8,
} from '@memo/core'
import {
  type DidOperation,
  type MemoDid,
  type MethodType,
  operationDigest,
  operationMessage,
  signOperation,
  typedOperationDigest,
} from '@memo/did'

type Vector = {
  readonly operation: string
  readonly methodType: MethodType
  readonly publicKey: string
  readonly url: string
  readonly index: number
  readonly expiration: number
  readonly nonce: number
  readonly message: string
  readonly digest: string
  readonly signature: string
  readonly typedDigest: string
  readonly typedSignature: string
}

const file = JSON.parse(readFileSync(new URL('../../../spec/vectors/did.json', import.meta.url), 'utf8')) as {
  readonly masterSecretTestKey: string
  readonly did: string
  readonly domain: { readonly chainId: number; readonly verifyingContract: Address }
  readonly operations: readonly Vector[]
}
const did: MemoDid = `did:memo:${file.did}`
const master = createKeySigner(bytes(file.masterSecretTestKey))
const domain = { chainId: file.domain.chainId, didProxy: file.domain.verifyingContract }

function bytes(hex: string): Uint8Array {
  const found = findBytesFromHex(hex)
  assert.ok(found)
  return found
}

const KINDS: Readonly<Record<string, DidOperation['kind']>> = {
  createDID: 'createDid',
  addVerification: 'addVeri',
  updateVerificationMethod: 'updateVeri',
  deactivateVerification: 'deactivateVeri',
  deactivateDID: 'deactivateDid',
}

function operationOf(vector: Vector): DidOperation {
  const { methodType, url, index } = vector
  const key = vector.publicKey === '' ? new Uint8Array() : bytes(vector.publicKey)
  const rest = { methodType, key, url, index, controller: did, expiration: BigInt(vector.expiration) }
  const kind = KINDS[vector.operation] ?? vector.operation
  return { kind, did, nonce: BigInt(vector.nonce), ...rest } as DidOperation
}

describe('an operation on a DID', () => {
  for (const vector of file.operations) {
    test(`${vector.operation} has the message, digest and signature of the shared examples`, async () => {
      const operation = operationOf(vector)
      assert.equal(hexFromBytes(operationMessage(operation)), vector.message)
      assert.equal(hexFromBytes(operationDigest(operation)), vector.digest)
      const signature = await signOperation(operation, master)
      // The original writes v as 0 or 1, we write 27 or 28; the contract takes both.
      assert.equal(hexFromBytes(signature.subarray(0, 64)), vector.signature.slice(0, -2))
      assert.equal((signature[64] ?? 0) - 27, Number.parseInt(vector.signature.slice(-2), 16))
    })

    test(`${vector.operation} has the EIP-712 digest of the shared examples`, async () => {
      assert.equal(hexFromBytes(typedOperationDigest(operationOf(vector), domain)), vector.typedDigest)
      assert.equal(hexFromBytes(await signOperation(operationOf(vector), master, domain)), vector.typedSignature)
    })
  }

  test('covers every operation that the examples know', () => {
    assert.equal(file.operations.length, 13)
  })

  test('in the EIP-712 form is another one on another chain and for another contract', () => {
    const operation: DidOperation = { kind: 'deactivateDid', did, nonce: 3n }
    const digests = [
      domain,
      { ...domain, chainId: 986 },
      { ...domain, didProxy: '0x00000000000000000000000000000000000d1d01' as const },
    ].map((place) => hexFromBytes(typedOperationDigest(operation, place)))
    assert.equal(new Set(digests).size, 3)
  })

  test('with an expiration beyond 64 bits keeps all of it', () => {
    const base = { kind: 'addDelegation', did, url: `${did}#key-1`, nonce: 4n } as const
    const short = operationMessage({ ...base, expiration: 1n })
    const long = operationMessage({ ...base, expiration: (1n << 200n) + 1n })
    assert.notDeepEqual(short, long)
  })
})

/** What the original wrote in its logs and tests, made here from the primitives that operations are made of. */
describe('as the original logged it', () => {
  test('a master key signs the registration of a file (test key)', async () => {
    const key = createKeySigner(bytes('0x9db5e51e62c438bc32e0137bab95d73892d057faeea15d9868eb71c983945a80'))
    const file = 'bafkreibkkylda7ub52hkpl4ulbysvazjm2mcs2zjbjvfvy4hdaa2qnk4ne'
    const controller = 'f3053946d7fcb75e380f8e4151ded1456abe67dd7607101fdd9cc19c0d1b3f20'
    const price = Uint8Array.of(...new Uint8Array(31), 3)
    const head = concatBytes(utf8(`registerMfileDid${file}mid`), Uint8Array.of(0), utf8(controller))
    const message = concatBytes(head, price, uint64be(3), utf8('pictureanimaldogwhitebig'))
    assert.equal(message.length, 207)
    const digest = keccak256(concatBytes(utf8(`\x19Ethereum Signed Message:\n${message.length}`), message))
    assert.equal(hexFromBytes(digest), '0x867a02a41ee9cadc3ebe45a92812de92a7747e101bcbd151181d5be544c80b0e')
    const signature = hexFromBytes(await key.signDigest(digest))
    assert.equal(
      signature.slice(2, -2),
      'cb403f12f22244fb649a6e7e588f5a2c24eca0c92202becb914817274fe03e3e2859c40e2fb26ee2ec4cd97e78ddc70e4eb426175ddbb8d7a4ff152d62b19b2b',
    )
    assert.equal(signature.slice(-2), '1b', 'v 0 is written as 27')
  })

  test('an id is found in the topics of its events', () => {
    const topicOf = (id: string) => hexFromBytes(keccak256(utf8(id)))
    const file = 'bafkreih6n5g5w4y6u7uvc4mh7jhjm7gidmkrbbpi7phyiyg54gplvngcp'
    assert.equal(topicOf(`${file}m`), '0x907f3fa86ec2186091a1b80ab74065d5022242b56f9c98db7cfd2b452eabad53')
    assert.equal(topicOf(`${file}n`), '0xd478b2aec3d04e7357d48ec5088170b45b3120ad252a8eb3c76720259e52ced9')
    const hello = keccak256(concatBytes(master.publicKey, utf8('hello')))
    assert.equal(hexFromBytes(hello), '0xb49ca7589e68b79190afdee67da56d7610a0407d54750f85749b5d90b7c7676f')
  })
})
