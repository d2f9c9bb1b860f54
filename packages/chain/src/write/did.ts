import { didProxyAbi } from '@memo/contracts'
import { hexFromBytes } from '@memo/core'
import type { Addresses } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { asMemoError } from '../client/revert.ts'
import { idFromDid } from '../did-id.ts'
import { callWrite, type WriteResult } from './call.ts'

/** What every operation on a DID takes: any account may relay it, the signature is the master key's. */
export type DidOperation = {
  readonly addresses: Addresses
  readonly did: string
  /** 65 bytes over the original's message or the EIP-712 form (`spec/did.md` 6). */
  readonly signature: Uint8Array
  readonly signal?: AbortSignal | undefined
}

export type CreateDidOptions = DidOperation & { readonly methodType: string; readonly publicKey: Uint8Array }

/** Relays the creation of a DID. Errors: `ContractRefused` with reason `DidExists`, `WrongSignature`, … */
export async function createDid(client: ChainClient, options: CreateDidOptions): Promise<WriteResult> {
  const { methodType, publicKey } = options
  return callWrite(client, {
    ...proxyOf(options),
    functionName: 'createDID',
    args: [idFromDid(options.did), methodType, hexFromBytes(publicKey), hexFromBytes(options.signature)],
  })
}

/** Whether the contract would take a creation as things are; nothing is sent. Errors: as {@link createDid}. */
export async function assertCreatableDid(client: ChainClient, options: CreateDidOptions): Promise<void> {
  const { methodType, publicKey } = options
  const { address, abi } = proxyOf(options)
  try {
    await client.rpc.simulateContract({
      address,
      abi,
      functionName: 'createDID',
      args: [idFromDid(options.did), methodType, hexFromBytes(publicKey), hexFromBytes(options.signature)],
    })
  } catch (error) {
    throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: 'try the creation of a DID' })
  }
}

export type AddVeriOptions = CreateDidOptions & {
  /** DID or id of the controller. */
  readonly controller: string
}

/** Relays the addition of a verification method; it gets the next number as `key-<n>`. */
export async function addVeri(client: ChainClient, options: AddVeriOptions): Promise<WriteResult> {
  const { methodType, publicKey, controller } = options
  const method = {
    methodType,
    controller: idFromDid(controller),
    pubKeyData: hexFromBytes(publicKey),
    deactivated: false,
  }
  return callWrite(client, {
    ...proxyOf(options),
    functionName: 'addVeri',
    args: [idFromDid(options.did), method, hexFromBytes(options.signature)],
  })
}

export type UpdateVeriOptions = CreateDidOptions & { readonly index: number }

/** Relays the replacement of a method's key, signed by the master key of the method's controller. */
export async function updateVeri(client: ChainClient, options: UpdateVeriOptions): Promise<WriteResult> {
  const { did, index, methodType, publicKey, signature } = options
  return callWrite(client, {
    ...proxyOf(options),
    functionName: 'updateVeri',
    args: [idFromDid(did), BigInt(index), methodType, hexFromBytes(publicKey), hexFromBytes(signature)],
  })
}

/** Relays the deactivation of a method, which is final. */
export async function deactivateVeri(
  client: ChainClient,
  options: DidOperation & { readonly index: number },
): Promise<WriteResult> {
  return callWrite(client, {
    ...proxyOf(options),
    functionName: 'deactivateVeri',
    args: [idFromDid(options.did), BigInt(options.index), true, hexFromBytes(options.signature)],
  })
}

export type DidRelationOptions = DidOperation & {
  /** Full DID URL of a key, such as `did:memo:…#key-1`. */
  readonly url: string
}

type RelationFunction =
  | 'addAuth'
  | 'removeAuth'
  | 'addAssertion'
  | 'removeAssertion'
  | 'addRecovery'
  | 'removeRecovery'
  | 'removeDelegation'

/** Relays adding a key to the authentication relation. */
export async function addAuth(client: ChainClient, options: DidRelationOptions): Promise<WriteResult> {
  return changeDidRelation(client, { ...options, operation: 'addAuth' })
}

/** Relays removing a key from the authentication relation. */
export async function removeAuth(client: ChainClient, options: DidRelationOptions): Promise<WriteResult> {
  return changeDidRelation(client, { ...options, operation: 'removeAuth' })
}

/** Relays a change of any relation but the addition of a delegation. */
export async function changeDidRelation(
  client: ChainClient,
  options: DidRelationOptions & { readonly operation: RelationFunction },
): Promise<WriteResult> {
  return callWrite(client, {
    ...proxyOf(options),
    functionName: options.operation,
    args: [idFromDid(options.did), options.url, hexFromBytes(options.signature)],
  })
}

/** Relays a delegation until `expiration`, in seconds since 1970. */
export async function addDelegation(
  client: ChainClient,
  options: DidRelationOptions & { readonly expiration: bigint },
): Promise<WriteResult> {
  return callWrite(client, {
    ...proxyOf(options),
    functionName: 'addDelegation',
    args: [idFromDid(options.did), options.url, options.expiration, hexFromBytes(options.signature)],
  })
}

/** Relays the deactivation of a DID, which is final. */
export async function deactivateDid(client: ChainClient, options: DidOperation): Promise<WriteResult> {
  return callWrite(client, {
    ...proxyOf(options),
    functionName: 'deactivateDID',
    args: [idFromDid(options.did), true, hexFromBytes(options.signature)],
  })
}

function proxyOf({ addresses, signal }: DidOperation): {
  address: Addresses['didProxy']
  abi: typeof didProxyAbi
  signal: AbortSignal | undefined
} {
  return { address: addresses.didProxy, abi: didProxyAbi, signal }
}
