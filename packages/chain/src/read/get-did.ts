import { accountDidAbi, didProxyAbi } from '@memo/contracts'
import {
  type Address,
  addressFromPublicKey,
  type DidKey,
  type DidRecord,
  findBytesFromHex,
  hexFromBytes,
  NotFoundError,
} from '@memo/core'
import { type Addresses, canonicalAddress } from '../addresses.ts'
import type { ChainClient } from '../client/chain-client.ts'
import { didFromId, idFromDid } from '../did-id.ts'
import { callView } from './call.ts'
import { type DidRelations, listDidRelations } from './list-did-relations.ts'

const SECP256K1 = 'EcdsaSecp256k1VerificationKey2019'
const RECOVERY = 'EcdsaSecp256k1RecoveryMethod2020'

/** A verification method as the contract holds it; index 0 is the master key. */
export type DidMethod = {
  /** `masterKey` or `key-<n>`. */
  readonly id: string
  readonly index: number
  readonly type: string
  /** Id (64 hex digits) of the DID that controls it. */
  readonly controller: string
  readonly publicKey: Uint8Array
  readonly deactivated: boolean
}

/** Everything that the chain says of a DID: what a resolver makes a document of. */
export type DidDocumentData = {
  readonly did: string
  readonly deactivated: boolean
  readonly masterAddress: Address
  readonly methods: readonly DidMethod[]
  readonly relations: DidRelations
}

export type DidOptions = { readonly addresses: Addresses; readonly did: string }

/** The DID with methods and relations, or undefined where it was never created. `spec/did.md` 8 */
export async function findDidDocumentData(
  client: ChainClient,
  { addresses, did }: DidOptions,
): Promise<DidDocumentData | undefined> {
  const id = idFromDid(did)
  const state = await readState(client, addresses, id)
  if (state === undefined) return undefined
  const [methods, relations] = await Promise.all([
    readMethods(client, addresses, id),
    listDidRelations(client, { addresses, did: id }),
  ])
  return { did: didFromId(id), ...state, methods, relations }
}

/** The same. Errors: {@link NotFoundError} where the DID was never created. */
export async function getDidDocumentData(client: ChainClient, options: DidOptions): Promise<DidDocumentData> {
  const found = await findDidDocumentData(client, options)
  if (found === undefined) throw new NotFoundError(`${options.did} was never created`, { fix: 'Create it first.' })
  return found
}

/**
 * What a login needs: who may authenticate for a DID. The master key always may; another key while it is in the
 * authentication relation and not deactivated. Nobody may for a deactivated DID. `spec/did.md` 8
 */
export async function findDid(client: ChainClient, { addresses, did }: DidOptions): Promise<DidRecord | undefined> {
  const id = idFromDid(did)
  const state = await readState(client, addresses, id)
  if (state === undefined) return undefined
  if (state.deactivated) return { did: didFromId(id), ...state, authenticationKeys: [] }
  const methods = await readMethods(client, addresses, id)
  const flags = await Promise.all(
    methods.map((method) => method.index === 0 || isInAuthentication(client, addresses, id, method)),
  )
  const usable = methods.filter((method, position) => !method.deactivated && flags[position] === true)
  return { did: didFromId(id), ...state, authenticationKeys: usable.flatMap(keyFromMethod) }
}

/** The number that the next operation of a DID signs: 0 before it exists, 1 after its creation. */
export async function getDidNonce(client: ChainClient, { addresses, did }: DidOptions): Promise<bigint> {
  return callView(client, {
    address: addresses.didProxy,
    abi: didProxyAbi,
    functionName: 'getNonce',
    args: [idFromDid(did)],
  })
}

async function readState(
  client: ChainClient,
  addresses: Addresses,
  id: string,
): Promise<{ masterAddress: Address; deactivated: boolean } | undefined> {
  const [master, deactivated] = await callView(client, {
    address: addresses.accountDid,
    abi: accountDidAbi,
    functionName: 'data',
    args: [id],
  })
  if (BigInt(master) === 0n) return undefined
  return { masterAddress: canonicalAddress(master), deactivated }
}

async function readMethods(client: ChainClient, addresses: Addresses, id: string): Promise<readonly DidMethod[]> {
  const contract = { address: addresses.accountDid, abi: accountDidAbi } as const
  const count = await callView(client, { ...contract, functionName: 'getVeriLen', args: [id] })
  const raw = await Promise.all(
    Array.from({ length: Number(count) }, (_, index) =>
      callView(client, { ...contract, functionName: 'getVeri', args: [id, BigInt(index)] }),
    ),
  )
  return raw.map((method, index) => ({
    id: index === 0 ? 'masterKey' : `key-${index}`,
    index,
    type: method.methodType,
    controller: method.controller,
    publicKey: findBytesFromHex(method.pubKeyData) ?? new Uint8Array(),
    deactivated: method.deactivated,
  }))
}

async function isInAuthentication(
  client: ChainClient,
  addresses: Addresses,
  id: string,
  method: DidMethod,
): Promise<boolean> {
  return callView(client, {
    address: addresses.accountDid,
    abi: accountDidAbi,
    functionName: 'inAuth',
    args: [id, `${didFromId(id)}#${method.id}`],
  })
}

/** Keys of types that sign nothing we can check here are left out. */
function keyFromMethod({ id, type, publicKey }: DidMethod): DidKey[] {
  if (type === SECP256K1) return [{ id, type, publicKey, address: addressFromPublicKey(publicKey) }]
  if (type === RECOVERY) return [{ id, type, address: hexFromBytes(publicKey) }]
  return []
}
