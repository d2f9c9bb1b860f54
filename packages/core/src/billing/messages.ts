import type { Address } from '../bytes/index.ts'
import { type TypedStruct, type TypedValue, typedDigest } from '../keys/index.ts'

/** The contract that reads a message, on its chain: the domain of what moves money (`spec/orders.md` 6). */
export type Verifier = { readonly chainId: number; readonly verifyingContract: Address }

/** The contracts that read what moves money, on their chain (`spec/orders.md` 6). */
export type MoneyContracts = {
  readonly chainId: number
  /** Reads orders, amendments and set commitments. */
  readonly orders: Address
  /** Reads vouchers. */
  readonly reads: Address
}

/** Where orders, amendments and set commitments count. */
export function ordersVerifierOf({ chainId, orders }: MoneyContracts): Verifier {
  return { chainId, verifyingContract: orders }
}

/** Where read vouchers count. */
export function readsVerifierOf({ chainId, reads }: MoneyContracts): Verifier {
  return { chainId, verifyingContract: reads }
}

/** What user and provider sign; epochs from `start` up to and without `end`, `submitBy` in seconds since 1970. */
export type OrderTerms = {
  readonly user: Address
  readonly provider: Address
  readonly nonce: bigint
  readonly sizeBytes: bigint
  readonly priceAttoPerGiBSecond: bigint
  readonly start: bigint
  readonly end: bigint
  readonly submitBy: bigint
}

/** What both sign to change an order from the next epoch on. */
export type AmendmentTerms = {
  readonly orderId: bigint
  readonly seq: bigint
  readonly sizeBytes: bigint
  readonly priceAttoPerGiBSecond: bigint
  readonly end: bigint
  readonly submitBy: bigint
}

/** What a provider holds under one order from an epoch on; kept by both sides off chain. */
export type SetCommitment = {
  readonly orderId: bigint
  readonly seq: bigint
  readonly setRoot: Uint8Array
  readonly usedBytes: bigint
  readonly fromEpoch: bigint
}

/** How many bytes a payer has read under one allowance in all. */
export type ReadVoucher = {
  readonly orderId: bigint
  readonly payer: Address
  readonly seq: bigint
  readonly bytesRead: bigint
}

const ORDER: TypedStruct = {
  name: 'Order',
  fields: [
    ['user', 'address'],
    ['provider', 'address'],
    ['nonce', 'uint64'],
    ['sizeBytes', 'uint64'],
    ['priceAttoPerGiBSecond', 'uint256'],
    ['start', 'uint64'],
    ['end', 'uint64'],
    ['submitBy', 'uint64'],
  ],
}

const AMENDMENT: TypedStruct = {
  name: 'Amendment',
  fields: [
    ['orderId', 'uint64'],
    ['seq', 'uint64'],
    ['sizeBytes', 'uint64'],
    ['priceAttoPerGiBSecond', 'uint256'],
    ['end', 'uint64'],
    ['submitBy', 'uint64'],
  ],
}

const SET_COMMITMENT: TypedStruct = {
  name: 'SetCommitment',
  fields: [
    ['orderId', 'uint64'],
    ['seq', 'uint64'],
    ['setRoot', 'bytes32'],
    ['usedBytes', 'uint64'],
    ['fromEpoch', 'uint64'],
  ],
}

const READ_VOUCHER: TypedStruct = {
  name: 'ReadVoucher',
  fields: [
    ['orderId', 'uint64'],
    ['payer', 'address'],
    ['seq', 'uint64'],
    ['bytesRead', 'uint64'],
  ],
}

/** Digest of an order; the verifier is the contract of orders. `spec/orders.md` 6 */
export function orderDigest(verifier: Verifier, terms: OrderTerms): Uint8Array {
  return contractDigest(verifier, ORDER, terms)
}

/** Digest of an amendment; the verifier is the contract of orders. `spec/orders.md` 8 */
export function amendmentDigest(verifier: Verifier, terms: AmendmentTerms): Uint8Array {
  return contractDigest(verifier, AMENDMENT, terms)
}

/** Digest of a set commitment; the verifier is the contract of orders. `spec/orders.md` 6 */
export function setCommitmentDigest(verifier: Verifier, commitment: SetCommitment): Uint8Array {
  return contractDigest(verifier, SET_COMMITMENT, commitment)
}

/** Digest of a read voucher; the verifier is the contract of reads. `spec/orders.md` 14 */
export function readVoucherDigest(verifier: Verifier, voucher: ReadVoucher): Uint8Array {
  return contractDigest(verifier, READ_VOUCHER, voucher)
}

/** Digest of any flat struct in the domain of the contract that reads it. */
export function contractDigest(
  { chainId, verifyingContract }: Verifier,
  struct: TypedStruct,
  values: Readonly<Record<string, TypedValue>>,
): Uint8Array {
  return typedDigest({ chainId, registry: verifyingContract }, struct, values)
}
