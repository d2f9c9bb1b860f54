import {
  type Address,
  findAddress,
  hexFromBytes,
  MemoError,
  type Signer,
  type TypedStruct,
  typedDigest,
} from '@memo/core'
import { BadGatewayAnswerError } from './errors.ts'

/** The two things that a gateway sells. */
export type GatewayQuotaKind = 'space' | 'traffic'

/** For what, and up to where, a session signs vouchers by itself when its gateway asks for one. */
export type VoucherPolicy = {
  /** The chain on which the money lies: a voucher is good there alone. */
  readonly chainId: number
  /** No voucher is signed over more bytes than this under one nonce. */
  readonly maxVoucherBytes: number
  /** Signs for so many bytes more than are asked for, as far as they may be signed for, so that not every call asks. */
  readonly aheadBytes?: number | undefined
  /** The pay contracts, where they are known: one that the gateway names otherwise is refused. */
  readonly payContracts?: Readonly<Record<GatewayQuotaKind, Address>> | undefined
  /** The DID's master key, where the session's own is another. */
  readonly signer?: Signer | undefined
}

/** A voucher as requests carry it. */
export type SignedVoucher = { readonly size: string; readonly sign: string }

/** What the gateway asks to have signed, as `GET /mefs/spacehash` answers. */
export type VoucherRequest = {
  readonly kind: GatewayQuotaKind
  readonly payAddress: Address
  readonly seller: Address
  readonly buyer: Address
  readonly nonce: bigint
  readonly chainId: number
}

/** A gateway asked for a voucher that this session does not sign. */
export class VoucherLimitError extends MemoError {
  override readonly name: string = 'VoucherLimitError'
  constructor(message: string, fix: string, details: Readonly<Record<string, unknown>>) {
    super(message, { blame: 'user', retry: 'never', fix, details })
  }
}

/** `spec/space-market.md` 7 */
const QUOTA_VOUCHER: TypedStruct = {
  name: 'QuotaVoucher',
  fields: [
    ['buyer', 'address'],
    ['seller', 'address'],
    ['nonce', 'uint256'],
    ['sizeByte', 'uint64'],
  ],
}

/** The request in what the gateway answered. Errors: {@link BadGatewayAnswerError}. */
export function voucherRequestFrom(kind: GatewayQuotaKind, answer: Readonly<Record<string, unknown>>): VoucherRequest {
  const [payAddress, seller, buyer] = [answer.PayAddr, answer.Seller, answer.Buyer].map(findAddress)
  const { Nonce: nonce, ChainId: chainId } = answer
  if (!payAddress || !seller || !buyer || typeof nonce !== 'bigint' || typeof chainId !== 'bigint') {
    throw new BadGatewayAnswerError('no request for a voucher')
  }
  return { kind, payAddress, seller, buyer, nonce, chainId: Number(chainId) }
}

/**
 * Signs a voucher over `size` bytes in all under the nonce, or over up to `aheadBytes` more; `quota` is what was bought and
 * granted. Errors: {@link VoucherLimitError} for one that the policy, or the quota, does not allow.
 */
export async function signVoucher(
  policy: VoucherPolicy,
  signer: Signer,
  request: VoucherRequest,
  { size, quota }: { readonly size: bigint; readonly quota: bigint },
): Promise<SignedVoucher> {
  const { kind, payAddress, seller, buyer, nonce, chainId } = request
  const details = { kind, size: `${size}`, quota: `${quota}`, buyer, payAddress, chainId }
  const refuse = (message: string, fix: string) => new VoucherLimitError(message, fix, details)
  const expected = policy.payContracts?.[kind]
  if (chainId !== policy.chainId || (expected !== undefined && findAddress(expected) !== payAddress)) {
    const message = `the gateway asks for a voucher for ${payAddress} on chain ${chainId}, which is not this network’s`
    throw refuse(message, 'Use a gateway of this network.')
  }
  if (signer.address !== buyer) {
    const fix = 'Give the session the DID’s master key as the signer of vouchers.'
    throw refuse(`vouchers of this DID are signed by ${buyer}, not by ${signer.address}`, fix)
  }
  const limit = BigInt(policy.maxVoucherBytes)
  if (size > limit) {
    const fix = 'Raise maxVoucherBytes, if the gateway may have so much.'
    throw refuse(`the gateway asks for a voucher over ${size} bytes of ${kind}; this session signs ${limit}`, fix)
  }
  if (size > quota) {
    const fix = `Buy what is missing: memo buy ${kind} ${size - quota}`
    throw refuse(`the gateway asks for a voucher over ${size} bytes of ${kind}, and ${quota} are bought`, fix)
  }
  const signed = [size + BigInt(policy.aheadBytes ?? 0), limit, quota].reduce((least, one) =>
    one < least ? one : least,
  )
  const values = { buyer, seller, nonce, sizeByte: signed }
  const digest = typedDigest({ chainId, registry: payAddress }, QUOTA_VOUCHER, values)
  return { size: `${signed}`, sign: hexFromBytes(await signer.signDigest(digest)) }
}
