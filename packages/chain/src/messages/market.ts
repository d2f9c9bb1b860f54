import { type Address, contractDigest, type TypedStruct, type Verifier } from '@memo/core'
import { concat, keccak256, numberToHex, toBytes } from 'viem'

/** What a buyer has used in all under one nonce; `sizeByte` is cumulative. `spec/space-market.md` 7 */
export type QuotaVoucher = {
  readonly buyer: Address
  readonly seller: Address
  readonly nonce: bigint
  readonly sizeByte: bigint
}

/** What a payer signs so that somebody else submits his purchase. `spec/space-market.md` 4 */
export type Purchase = {
  readonly payer: Address
  readonly buyer: Address
  readonly sizeByte: bigint
  readonly maxAtto: bigint
  readonly nonce: bigint
  /** Seconds since 1970. */
  readonly deadline: bigint
}

const QUOTA_VOUCHER: TypedStruct = {
  name: 'QuotaVoucher',
  fields: [
    ['buyer', 'address'],
    ['seller', 'address'],
    ['nonce', 'uint256'],
    ['sizeByte', 'uint64'],
  ],
}

const PURCHASE: TypedStruct = {
  name: 'Purchase',
  fields: [
    ['payer', 'address'],
    ['buyer', 'address'],
    ['sizeByte', 'uint64'],
    ['maxAtto', 'uint256'],
    ['nonce', 'uint256'],
    ['deadline', 'uint64'],
  ],
}

/** Digest of a voucher; the verifier is the pay contract of space or of traffic. `spec/space-market.md` 7 */
export function quotaVoucherDigest(verifier: Verifier, voucher: QuotaVoucher): Uint8Array {
  return contractDigest(verifier, QUOTA_VOUCHER, voucher)
}

/** Digest of a signed purchase; the verifier is the pay contract. `spec/space-market.md` 4 */
export function purchaseDigest(verifier: Verifier, purchase: Purchase): Uint8Array {
  return contractDigest(verifier, PURCHASE, purchase)
}

/** The original's voucher hash, signed without any prefix; it names no chain and no buyer. `spec/space-market.md` 7 */
export function originalVoucherHash(
  payAddress: Address,
  { nonce, sizeByte, seller }: Pick<QuotaVoucher, 'nonce' | 'sizeByte' | 'seller'>,
): Uint8Array {
  const packed = [payAddress, numberToHex(nonce, { size: 32 }), numberToHex(sizeByte, { size: 8 }), seller]
  return toBytes(keccak256(concat(packed as `0x${string}`[])))
}
