import { concatBytes, keccak256, type Signer, uint64be, utf8 } from '@memo/core'
import { didId, type MemoDid } from './id.ts'

/** The verification method types that Memo DIDs know. */
export type MethodType =
  | 'EcdsaSecp256k1VerificationKey2019'
  | 'EcdsaSecp256k1RecoveryMethod2020'
  | 'Ed25519VerificationKey2018'

/** A change of a DID, in the words of the original's messages (`spec/did.md` 6). */
export type DidOperation =
  | { readonly kind: 'createDid'; readonly did: MemoDid; readonly methodType: MethodType; readonly key: Uint8Array }
  | {
      readonly kind: 'addVeri'
      readonly methodType: MethodType
      readonly controller: MemoDid
      readonly key: Uint8Array
      readonly nonce: bigint
    }
  | { readonly kind: RelationKind; readonly did: MemoDid; readonly url: string; readonly nonce: bigint }
  | { readonly kind: 'deactivateDid'; readonly did: MemoDid; readonly nonce: bigint }

/** Adding a key to, or taking it from, a relation; the kind is the first word of the signed message. */
export type RelationKind = 'addAuthentication' | 'removeAuthentication' | 'addAssertion' | 'removeAssertion'

/** The exact bytes of an operation's legacy message. */
export function operationMessage(operation: DidOperation): Uint8Array {
  switch (operation.kind) {
    case 'createDid':
      return concatBytes(utf8(`createDID${didId(operation.did)}${operation.methodType}`), operation.key, uint64be(0))
    case 'addVeri':
      return concatBytes(
        utf8(`addVerification${operation.methodType}${didId(operation.controller)}`),
        operation.key,
        uint64be(operation.nonce),
      )
    case 'deactivateDid':
      return concatBytes(utf8(`deactivateDID${didId(operation.did)}`), Uint8Array.of(1), uint64be(operation.nonce))
    default:
      return concatBytes(utf8(`${operation.kind}${didId(operation.did)}${operation.url}`), uint64be(operation.nonce))
  }
}

/** The digest that a master key signs: EIP-191 over the message's bytes. */
export function operationDigest(operation: DidOperation): Uint8Array {
  const message = operationMessage(operation)
  return keccak256(concatBytes(utf8(`\x19Ethereum Signed Message:\n${message.length}`), message))
}

/** Signs an operation with the DID's master key: r‖s‖v. */
export async function signOperation(operation: DidOperation, master: Signer): Promise<Uint8Array> {
  return await master.signDigest(operationDigest(operation))
}
