import { findBytesFromHex, hexFromBytes, maxOf } from '@memo/core'

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

/** A voucher that was cashed, until its transaction lies deep in the chain: a rewind may bring its nonce back. */
export type CashedVoucher = Pick<KeptVoucher, 'size' | 'signature'> & {
  readonly nonce: bigint
  /** The newest block when the chain was first seen to have it; undefined before that. */
  readonly seenAtBlock: number | undefined
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
  /** By nonce; empty where all that was cashed lies deep. */
  readonly cashed: readonly CashedVoucher[]
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
  cashed: [],
}

/** Bytes used under the running nonce: what a voucher must cover at the least. */
export function usedUnderNonce({ paidUsed, cashedBytes }: QuotaAccount): bigint {
  return maxOf(0n, paidUsed - cashedBytes)
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
    trialUsed: maxOf(0n, account.trialUsed - trial),
    paidUsed: maxOf(0n, account.paidUsed - returned),
  }
}

/**
 * The account under the nonce that the chain has now. A voucher that was cashed stays paid, whatever of it was used;
 * one that ended otherwise (its quota expired) is void, and what was used under it is forgotten.
 */
export function withNonce(account: QuotaAccount, nonce: bigint): QuotaAccount {
  if (nonce === account.nonce) return account
  const { isCashing, voucher, cashedBytes, paidUsed, cashed } = account
  const isCashed = isCashing && voucher !== undefined
  const { size, signature } = voucher ?? { size: 0n, signature: new Uint8Array(0) }
  return {
    ...account,
    nonce,
    voucher: undefined,
    isCashing: false,
    cashedBytes: isCashing ? cashedBytes + size : maxOf(cashedBytes, paidUsed),
    cashed: isCashed ? [...cashed, { nonce: account.nonce, size, signature, seenAtBlock: undefined }] : cashed,
  }
}

export function encodeAccount(account: QuotaAccount): string {
  const { trialUsed, paidUsed, cashedBytes, nonce, voucher, isCashing, cashed } = account
  const kept = voucher && {
    size: `${voucher.size}`,
    signature: hexFromBytes(voucher.signature),
    ms: voucher.sinceMs,
    expire: voucher.expire,
  }
  const counts = [trialUsed, paidUsed, cashedBytes, nonce].map(String)
  const paid = cashed.map((one) => ({
    size: `${one.size}`,
    signature: hexFromBytes(one.signature),
    nonce: `${one.nonce}`,
    block: one.seenAtBlock,
  }))
  return JSON.stringify({ counts, voucher: kept, isCashing, cashed: paid })
}

/** The store holds what {@link encodeAccount} wrote, so its fields are trusted. */
export function decodeAccount(record: string): QuotaAccount {
  const { counts, voucher, isCashing, cashed } = JSON.parse(record) as {
    readonly counts: readonly [string, string, string, string]
    readonly voucher?: {
      readonly size: string
      readonly signature: string
      readonly ms: number
      readonly expire: number
    }
    readonly isCashing: boolean
    readonly cashed: readonly {
      readonly size: string
      readonly signature: string
      readonly nonce: string
      readonly block?: number
    }[]
  }
  const [trialUsed, paidUsed, cashedBytes, nonce] = counts
  return {
    trialUsed: BigInt(trialUsed),
    paidUsed: BigInt(paidUsed),
    cashedBytes: BigInt(cashedBytes),
    nonce: BigInt(nonce),
    voucher: voucher && {
      size: BigInt(voucher.size),
      signature: bytesOf(voucher.signature),
      sinceMs: voucher.ms,
      expire: voucher.expire,
    },
    isCashing,
    cashed: cashed.map(({ size, signature, nonce: of, block }) => ({
      size: BigInt(size),
      signature: bytesOf(signature),
      nonce: BigInt(of),
      seenAtBlock: block,
    })),
  }
}

function bytesOf(hex: string): Uint8Array {
  return findBytesFromHex(hex) ?? new Uint8Array(0)
}
