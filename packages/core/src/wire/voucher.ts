import { base64url } from 'multiformats/bases/base64'
import { type MoneyContracts, type ReadVoucher, readsVerifierOf, readVoucherDigest } from '../billing/index.ts'
import { type Address, findAddress, findBytesFromHex, hexFromBytes, textFromUtf8, utf8 } from '../bytes/index.ts'
import { findSignerAddress, type Signer } from '../keys/index.ts'
import { findReadVoucherFromJson, findUint64, readVoucherToJson, recordOf, type SignedVoucher } from './money-codec.ts'

/** Carries the voucher of a read (`spec/wire.md` 12). */
export const VOUCHER_HEADER = 'memo-voucher'
/** Of the header; a voucher of the largest numbers has fewer. */
const MAX_VOUCHER_CHARS = 1_024
/** Of a key. */
const SIGNATURE_BYTES = 65
/** Without padding. */
const BASE64URL = /^[A-Za-z0-9_-]+$/

export async function signVoucher(money: MoneyContracts, voucher: ReadVoucher, signer: Signer): Promise<SignedVoucher> {
  const signature = await signer.signDigest(readVoucherDigest(readsVerifierOf(money), voucher))
  return { voucher, signature }
}

/** Whether the payer whom it names signed the voucher, for this chain and its contract of reads. */
export function isVoucher(money: MoneyContracts, { voucher, signature }: SignedVoucher): boolean {
  return findSignerAddress(readVoucherDigest(readsVerifierOf(money), voucher), signature) === voucher.payer
}

/** The text of the header. */
export function encodeVoucher({ voucher, signature }: SignedVoucher): string {
  const json = JSON.stringify({ ...readVoucherToJson(voucher), signature: hexFromBytes(signature) })
  return base64url.baseEncode(utf8(json))
}

/** Parses {@link encodeVoucher}; undefined when it is none. The signature is not checked here; those of contracts may be longer. */
export function findVoucher(text: string): SignedVoucher | undefined {
  if (text.length > MAX_VOUCHER_CHARS || !BASE64URL.test(text)) return undefined
  const json = findJson(text)
  const voucher = findReadVoucherFromJson(json)
  const signature = findBytesFromHex(recordOf(json).signature)
  return voucher && signature && signature.length >= SIGNATURE_BYTES ? { voucher, signature } : undefined
}

function findJson(text: string): unknown {
  try {
    return JSON.parse(textFromUtf8(base64url.baseDecode(text)))
  } catch {
    return undefined // from outside: the caller says that it is no voucher
  }
}

/** How far a payer and a provider are apart. */
export type PaymentDue = {
  readonly orderId: bigint
  readonly payer: Address
  /** Served on this payer's account, under the allowance that is open. */
  readonly bytesServed: bigint
  /** What the newest voucher says. */
  readonly bytesPaid: bigint
}

export function paymentDueToJson({ orderId, payer, bytesServed, bytesPaid }: PaymentDue): Record<string, string> {
  return { orderId: `${orderId}`, payer, bytesServed: `${bytesServed}`, bytesPaid: `${bytesPaid}` }
}

/** Parses the details of a `PaymentRequiredError`; undefined where they name no account between the two. */
export function findPaymentDue(details: unknown): PaymentDue | undefined {
  const fields = recordOf(details)
  const payer = findAddress(fields.payer)
  const orderId = findUint64(fields.orderId)
  const bytesServed = findUint64(fields.bytesServed)
  const bytesPaid = findUint64(fields.bytesPaid)
  if (!payer || orderId === undefined || bytesServed === undefined || bytesPaid === undefined) return undefined
  return { orderId, payer, bytesServed, bytesPaid }
}
