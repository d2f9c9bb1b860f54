import {
  type Address,
  concatBytes,
  keccak256,
  type Signer,
  type TypedStruct,
  type TypedValue,
  typedDigest,
  uint64be,
  utf8,
} from '@memo/core'
import { didId, type MemoDid } from './id.ts'

/** The verification method types that Memo DIDs know. */
export type MethodType =
  | 'EcdsaSecp256k1VerificationKey2019'
  | 'EcdsaSecp256k1RecoveryMethod2020'
  | 'Ed25519VerificationKey2018'

/** Adding a key to, or taking it from, a relation; the kind is the first word of the signed message. */
export type RelationKind =
  | 'addAuthentication'
  | 'removeAuthentication'
  | 'addAssertion'
  | 'removeAssertion'
  | 'addRecovery'
  | 'removeRecovery'
  | 'removeDelegation'

type Change = { readonly did: MemoDid; readonly nonce: bigint }
type NewKey = { readonly methodType: MethodType; readonly key: Uint8Array }

/** A change of a DID (`spec/did.md` 6). `nonce` is the number that the contract expects next; `index` that of a key. */
export type DidOperation =
  | ({ readonly kind: 'createDid'; readonly did: MemoDid } & NewKey)
  | ({ readonly kind: 'addVeri'; readonly controller: MemoDid } & Change & NewKey)
  | ({ readonly kind: 'updateVeri'; readonly index: number } & Change & NewKey)
  | ({ readonly kind: 'deactivateVeri'; readonly index: number } & Change)
  | ({ readonly kind: RelationKind; readonly url: string } & Change)
  | ({ readonly kind: 'addDelegation'; readonly url: string; readonly expiration: bigint } & Change)
  | ({ readonly kind: 'deactivateDid' } & Change)

/** Where an operation is to hold: the chain, and the contract that checks the signature. */
export type OperationDomain = { readonly chainId: number; readonly didProxy: Address }

/** The exact bytes of an operation's legacy message: it names neither chain nor contract (`spec/did.md` 6). */
export function operationMessage(operation: DidOperation): Uint8Array {
  const id = didId(operation.did)
  const nonce = uint64be(operation.kind === 'createDid' ? 0n : operation.nonce)
  switch (operation.kind) {
    case 'createDid':
      return concatBytes(utf8(`createDID${id}${operation.methodType}`), operation.key, nonce)
    case 'addVeri': {
      const { methodType, controller, key } = operation
      return concatBytes(utf8(`addVerification${methodType}${didId(controller)}`), key, nonce)
    }
    case 'updateVeri': {
      const { index, methodType, key } = operation
      return concatBytes(utf8(`updateVerificationMethod${id}`), uint64be(index), utf8(methodType), key, nonce)
    }
    case 'deactivateVeri':
      return concatBytes(utf8(`deactivateVerification${id}`), uint256(operation.index), Uint8Array.of(1), nonce)
    case 'addDelegation':
      return concatBytes(utf8(`addDelegation${id}${operation.url}`), uint256(operation.expiration), nonce)
    case 'deactivateDid':
      return concatBytes(utf8(`deactivateDID${id}`), Uint8Array.of(1), nonce)
    default:
      return concatBytes(utf8(`${operation.kind}${id}${operation.url}`), nonce)
  }
}

/** The digest that a master key signs in the legacy form: EIP-191 over the message's bytes. */
export function operationDigest(operation: DidOperation): Uint8Array {
  const message = operationMessage(operation)
  return keccak256(concatBytes(utf8(`\x19Ethereum Signed Message:\n${message.length}`), message))
}

/** The digest of the EIP-712 form, which is good on one chain and for one contract only. */
export function typedOperationDigest(operation: DidOperation, domain: OperationDomain): Uint8Array {
  const { struct, values } = typedForm(operation)
  const network = { chainId: domain.chainId, registry: domain.didProxy }
  return typedDigest(network, struct, { did: didId(operation.did), ...values })
}

/**
 * Signs an operation with the DID's master key: r‖s‖v. With a domain in the EIP-712 form, which the contract takes in
 * the same place; without one in the legacy form.
 */
export async function signOperation(
  operation: DidOperation,
  master: Signer,
  domain?: OperationDomain,
): Promise<Uint8Array> {
  return await master.signDigest(domain ? typedOperationDigest(operation, domain) : operationDigest(operation))
}

type Fields = TypedStruct['fields']
const DID: Fields = [['did', 'string']]
const NONCE: Fields = [['nonce', 'uint64']]
const TYPE: Fields = [['methodType', 'string']]
const KEY: Fields = [['publicKey', 'bytes']]
const INDEX: Fields = [['index', 'uint256']]
const URL: Fields = [['id', 'string']]

type TypedForm = { readonly struct: TypedStruct; readonly values: Readonly<Record<string, TypedValue>> }

function typedForm(operation: DidOperation): TypedForm {
  switch (operation.kind) {
    case 'createDid': {
      const values = { methodType: operation.methodType, publicKey: operation.key, nonce: 0n }
      return form('CreateDID', [...DID, ...TYPE, ...KEY, ...NONCE], values)
    }
    case 'addVeri': {
      const { methodType, controller, key, nonce } = operation
      const fields: Fields = [...DID, ...TYPE, ['controller', 'string'], ...KEY, ...NONCE]
      return form('AddVerification', fields, { methodType, controller: didId(controller), publicKey: key, nonce })
    }
    case 'updateVeri': {
      const { index, methodType, key, nonce } = operation
      const fields = [...DID, ...INDEX, ...TYPE, ...KEY, ...NONCE]
      return form('UpdateVerification', fields, { index, methodType, publicKey: key, nonce })
    }
    case 'deactivateVeri': {
      const { index, nonce } = operation
      return form('DeactivateVerification', [...DID, ...INDEX, ...NONCE], { index, nonce })
    }
    case 'addDelegation': {
      const { url, expiration, nonce } = operation
      const fields: Fields = [...DID, ...URL, ['expiration', 'uint256'], ...NONCE]
      return form('AddDelegation', fields, { id: url, expiration, nonce })
    }
    case 'deactivateDid':
      return form('DeactivateDID', [...DID, ...NONCE], { nonce: operation.nonce })
    default: {
      const { kind, url, nonce } = operation
      return form(kind.charAt(0).toUpperCase() + kind.slice(1), [...DID, ...URL, ...NONCE], { id: url, nonce })
    }
  }
}

function form(name: string, fields: Fields, values: Readonly<Record<string, TypedValue>>): TypedForm {
  return { struct: { name, fields }, values }
}

function uint256(value: number | bigint): Uint8Array {
  const mask = (1n << 64n) - 1n
  const limbs = [192n, 128n, 64n, 0n].map((shift) => uint64be((BigInt(value) >> shift) & mask))
  return concatBytes(...limbs)
}
