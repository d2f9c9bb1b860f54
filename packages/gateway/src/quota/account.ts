import { findBytesFromHex, hexFromBytes } from '@memo/core'
import { most } from './numbers.ts'

/** The best voucher that a buyer gave under the running nonce. */
export type KeptVoucher = {
  /** Bytes in all under the nonce. */
  readonly size: bigint
  readonly signature: Uint8Array
  /** When the first voucher under this nonce came. */
  readonly sinceMs: number
  /** When the quota ends and the voucher with it, as it was when the voucher came; unix seconds. */
  readonly expire: number
}

/**
 * What a buyer has used of one kind. Paid bytes are counted over all nonces, so that what a voucher paid and its buyer
 * had not used when it was cashed stays his: `cashedBytes + voucher.size − paidUsed` is what he may still use.
 */
export type QuotaAccount = {
  readonly trialUsed: bigint
  readonly paidUsed: bigint
  /** Where the count of the running nonce begins. */
  readonly cashedBytes: bigint
  readonly nonce: bigint
  readonly voucher: KeptVoucher | undefined
  /** A transaction that cashes the voucher may be under way. */
  readonly isCashing: boolean
}

/** Bytes by what they were counted against; `nonce` is the one that ran when the paid ones were counted. */
export type Charge = { readonly trial: bigint; readonly paid: bigint; readonly nonce: bigint }

export const EMPTY_ACCOUNT: QuotaAccount = {
  trialUsed: 0n,
  paidUsed: 0n,
  cashedBytes: 0n,
  nonce: 0n,
  voucher: undefined,
  isCashing: false,
}

/** Bytes used under the running nonce: what a voucher must cover at the least. */
export function usedUnderNonce({ paidUsed, cashedBytes }: QuotaAccount): bigint {
  return most(0n, paidUsed - cashedBytes)
}

/** Paid bytes that are signed for and not used; negative where a nonce ended before its use was cashed. */
export function paidRoom({ paidUsed, cashedBytes, voucher }: QuotaAccount): bigint {
  return cashedBytes + (voucher?.size ?? 0n) - paidUsed
}

export function withCharge(account: QuotaAccount, { trial, paid }: Charge): QuotaAccount {
  return { ...account, trialUsed: account.trialUsed + trial, paidUsed: account.paidUsed + paid }
}

/** Gives a charge back: of paid bytes only those under the running nonce, since the others are cashed. */
export function withoutCharge(account: QuotaAccount, { trial, paid, nonce }: Charge): QuotaAccount {
  const returned = nonce === account.nonce ? paid : 0n
  return {
    ...account,
    trialUsed: most(0n, account.trialUsed - trial),
    paidUsed: most(0n, account.paidUsed - returned),
  }
}

/**
 * The account under the nonce that the chain has now. A voucher that was cashed stays paid, whatever of it was used;
 * one that ended otherwise (its quota expired) is void, and what was used under it is forgotten.
 */
export function withNonce(account: QuotaAccount, nonce: bigint): QuotaAccount {
  if (nonce === account.nonce) return account
  const { isCashing, voucher, cashedBytes, paidUsed } = account
  return {
    ...account,
    nonce,
    voucher: undefined,
    isCashing: false,
    cashedBytes: isCashing ? cashedBytes + (voucher?.size ?? 0n) : most(cashedBytes, paidUsed),
  }
}

export function encodeAccount(account: QuotaAccount): string {
  const { trialUsed, paidUsed, cashedBytes, nonce, voucher, isCashing } = account
  const kept = voucher && {
    size: `${voucher.size}`,
    signature: hexFromBytes(voucher.signature),
    ms: voucher.sinceMs,
    expire: voucher.expire,
  }
  const counts = [trialUsed, paidUsed, cashedBytes, nonce].map(String)
  return JSON.stringify({ counts, voucher: kept, isCashing })
}

/** The store holds what {@link encodeAccount} wrote, so its fields are trusted. */
export function decodeAccount(record: string): QuotaAccount {
  const { counts, voucher, isCashing } = JSON.parse(record) as {
    readonly counts: readonly [string, string, string, string]
    readonly voucher?: {
      readonly size: string
      readonly signature: string
      readonly ms: number
      readonly expire: number
    }
    readonly isCashing: boolean
  }
  const [trialUsed, paidUsed, cashedBytes, nonce] = counts
  return {
    trialUsed: BigInt(trialUsed),
    paidUsed: BigInt(paidUsed),
    cashedBytes: BigInt(cashedBytes),
    nonce: BigInt(nonce),
    voucher: voucher && {
      size: BigInt(voucher.size),
      signature: findBytesFromHex(voucher.signature) ?? new Uint8Array(0),
      sinceMs: voucher.ms,
      expire: voucher.expire,
    },
    isCashing,
  }
}
