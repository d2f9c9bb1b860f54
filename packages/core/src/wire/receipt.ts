import { type Address, findAddress, findBytesFromHex, hexFromBytes, isCount } from '../bytes/index.ts'
import { findSignerAddress, type Network, type Signer, type TypedStruct, typedDigest } from '../keys/index.ts'

/** A provider's signed word that it holds a piece until `expiry` (`spec/wire.md` 5). Disputable on chain. */
export type Receipt = {
  /** 0 = no order yet. */
  readonly orderId: number
  readonly root: Uint8Array
  readonly sizeBytes: number
  /** Unix seconds. */
  readonly expiry: number
  readonly provider: Address
  readonly signature: Uint8Array
}

export type ReceiptTerms = Pick<Receipt, 'orderId' | 'root' | 'sizeBytes' | 'expiry'>

/** A receipt under order 0 runs so long from the commit that it was given for (`spec/wire.md` 5). */
export const RECEIPT_LIFE_SECONDS: number = 365 * 86_400

export const RECEIPT_STRUCT: TypedStruct = {
  name: 'Receipt',
  fields: [
    ['orderId', 'uint64'],
    ['root', 'bytes32'],
    ['sizeBytes', 'uint64'],
    ['expiry', 'uint64'],
  ],
}

/** Digest of a receipt, the same in Solidity. */
export function receiptDigest(network: Network, terms: ReceiptTerms): Uint8Array {
  const { orderId, root, sizeBytes, expiry } = terms
  return typedDigest(network, RECEIPT_STRUCT, { orderId, root, sizeBytes, expiry })
}

export async function signReceipt(network: Network, terms: ReceiptTerms, signer: Signer): Promise<Receipt> {
  const signature = await signer.signDigest(receiptDigest(network, terms))
  return { ...terms, provider: signer.address, signature }
}

/** Whether the provider that the receipt names signed it. */
export function isReceipt(network: Network, receipt: Receipt): boolean {
  return findSignerAddress(receiptDigest(network, receipt), receipt.signature) === receipt.provider
}

export function receiptToJson(receipt: Receipt): unknown {
  const { orderId, root, sizeBytes, expiry, provider, signature } = receipt
  return { orderId, root: hexFromBytes(root), sizeBytes, expiry, provider, signature: hexFromBytes(signature) }
}

/** Parses {@link receiptToJson}; undefined when it is none. The signature is not checked here. */
export function findReceiptFromJson(value: unknown): Receipt | undefined {
  const fields = (value ?? {}) as Record<string, unknown>
  const root = findBytesFromHex(fields.root, 32)
  const signature = findBytesFromHex(fields.signature, 65)
  const provider = findAddress(fields.provider)
  const { orderId, sizeBytes, expiry } = fields
  if (!root || !signature || !provider || !isCount(orderId) || !isCount(sizeBytes) || !isCount(expiry)) return undefined
  return { orderId, root, sizeBytes, expiry, provider, signature }
}
