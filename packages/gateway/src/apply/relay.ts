import { assertCreatableDid, createDid, type MemoChain } from '@memo/chain'
import { type Address, addressFromPublicKey, BadInputError, findBytesFromHex, hexFromBytes } from '@memo/core'
import type { MemoDid } from '@memo/did'
import { ApiError } from '../errors.ts'

/** A DID creation that somebody signed, for another to pay. */
export type SignedCreation = {
  readonly did: MemoDid
  readonly methodType: string
  readonly publicKey: Uint8Array
  readonly signature: Uint8Array
}

const SECP256K1 = 'EcdsaSecp256k1VerificationKey2019'
const RECOVERY = 'EcdsaSecp256k1RecoveryMethod2020'

/** The creation that the fields of a request say. Errors: {@link ApiError} 517. */
export function creationFrom(did: MemoDid, fields: Readonly<Record<string, unknown>>): SignedCreation {
  const { methodType = SECP256K1, publicKey: key, signature: sign } = fields
  const isAddress = methodType === RECOVERY
  const publicKey = findBytesFromHex(key, isAddress ? 20 : 33)
  const signature = findBytesFromHex(sign, 65)
  if ((!isAddress && methodType !== SECP256K1) || !publicKey || !signature) {
    throw new ApiError(517, 'a creation carries did, methodType, publicKey and signature, as the contract takes them')
  }
  return { did, methodType, publicKey, signature }
}

/** The account whose DID it becomes. Errors: {@link ApiError} 517 for a key that is none. */
export function holderOf({ methodType, publicKey }: SignedCreation): Address {
  try {
    return methodType === RECOVERY ? hexFromBytes(publicKey) : addressFromPublicKey(publicKey)
  } catch (cause) {
    if (!(cause instanceof BadInputError)) throw cause
    throw new ApiError(517, 'the public key is no secp256k1 key', cause)
  }
}

/**
 * Brings a creation to the chain at the gateway's expense; the transaction's hash, or undefined where the DID was there
 * already. `take` counts what the contract would take, and nothing else: who sends forged ones uses up nobody's turn. Errors:
 * `ContractRefused`, before anything is spent; {@link ApiError} 517 where it is another one's; those of `take`.
 */
export async function relayCreation(
  chain: MemoChain,
  creation: SignedCreation,
  take: () => void,
): Promise<string | undefined> {
  const holder = holderOf(creation)
  const record = await chain.findDid(creation.did)
  if (record?.masterAddress === holder) return undefined
  if (record) throw new ApiError(517, `${creation.did} is taken`)
  const options = { addresses: chain.addresses, ...creation }
  await assertCreatableDid(chain.client, options)
  take()
  const { hash } = await createDid(chain.client, options)
  return hash
}
