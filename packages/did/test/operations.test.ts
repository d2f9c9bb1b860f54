import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { type Address, createKeySigner, findBytesFromHex, hexFromBytes } from '@memo/core'
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
