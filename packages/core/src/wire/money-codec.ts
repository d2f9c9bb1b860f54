import type { AmendmentTerms, OrderTerms, ReadVoucher, SetCommitment, SetPiece } from '../billing/index.ts'
import { type Address, findAddress, findBytesFromHex, hexFromBytes, isCount } from '../bytes/index.ts'

/**
 * How orders, amendments, commitments and vouchers stand in JSON (`spec/wire.md` 8): whole numbers of the chain as
 * decimal strings, bytes and addresses as 0x and hex digits. What is parsed is undefined when it is not of its form.
 */

/** What a provider asks, and takes on. `spec/wire.md` 9 */
export type Quote = {
  readonly provider: Address
  readonly priceAttoPerGiBSecond: bigint
  readonly retrievalPriceAttoPerByte: bigint
  readonly freeBytes: number
  /** Epochs from now to the end of an order, at the most. */
  readonly maxOrderEpochs: number
  /** Bytes that are served beyond what a voucher says. */
  readonly readWindowBytes: number
}

/** What a provider has earned, and what it has to come, in attomemo. */
export type Earnings = {
  readonly storing: {
    /** Paid out of orders so far. */
    readonly settledAtto: bigint
    /** Of epochs that are over and not paid out. */
    readonly waitingAtto: bigint
    /** Orders that are not paid out to their end. */
    readonly orders: number
  }
  readonly reading: {
    /** Paid for vouchers so far. */
    readonly redeemedAtto: bigint
    /** What vouchers in hand are worth that were not presented. */
    readonly heldAtto: bigint
    readonly vouchers: number
  }
  readonly escrowFreeAtto: bigint
  /** The block that it is as of. */
  readonly block: number
}

/** A set commitment that both have signed. */
export type CosignedCommitment = {
  readonly commitment: SetCommitment
  readonly userSignature: Uint8Array
  readonly providerSignature: Uint8Array
}

/** A piece under an order, as its provider lists it. */
export type OrderPiece = SetPiece & {
  /** Whether the newest commitment counts it. */
  readonly committed: boolean
}

/** A voucher with its payer's signature. */
export type SignedVoucher = { readonly voucher: ReadVoucher; readonly signature: Uint8Array }

const UINT = /^(0|[1-9]\d{0,77})$/
const UINT64_END = 1n << 64n
const UINT256_END = 1n << 256n

/** A whole number from 0 to 2^64 − 1 in decimal digits. */
export function findUint64(value: unknown): bigint | undefined {
  return findUint(value, UINT64_END)
}

function findUint(value: unknown, end: bigint): bigint | undefined {
  if (typeof value !== 'string' || !UINT.test(value)) return undefined
  const number = BigInt(value)
  return number < end ? number : undefined
}

export function quoteToJson(quote: Quote): Record<string, unknown> {
  const { priceAttoPerGiBSecond, retrievalPriceAttoPerByte } = quote
  return {
    ...quote,
    priceAttoPerGiBSecond: `${priceAttoPerGiBSecond}`,
    retrievalPriceAttoPerByte: `${retrievalPriceAttoPerByte}`,
  }
}

export function findQuoteFromJson(value: unknown): Quote | undefined {
  const fields = recordOf(value)
  const provider = findAddress(fields.provider)
  const price = findUint(fields.priceAttoPerGiBSecond, UINT256_END)
  const retrievalPrice = findUint(fields.retrievalPriceAttoPerByte, UINT256_END)
  const { freeBytes, maxOrderEpochs, readWindowBytes } = fields
  if (!provider || price === undefined || retrievalPrice === undefined) return undefined
  if (!isCount(freeBytes) || !isCount(maxOrderEpochs) || !isCount(readWindowBytes)) return undefined
  return {
    provider,
    priceAttoPerGiBSecond: price,
    retrievalPriceAttoPerByte: retrievalPrice,
    freeBytes,
    maxOrderEpochs,
    readWindowBytes,
  }
}

export function earningsToJson({ storing, reading, escrowFreeAtto, block }: Earnings): Record<string, unknown> {
  const { settledAtto, waitingAtto, orders } = storing
  const { redeemedAtto, heldAtto, vouchers } = reading
  return {
    storing: { settledAtto: `${settledAtto}`, waitingAtto: `${waitingAtto}`, orders },
    reading: { redeemedAtto: `${redeemedAtto}`, heldAtto: `${heldAtto}`, vouchers },
    escrowFreeAtto: `${escrowFreeAtto}`,
    block,
  }
}

export function findEarningsFromJson(value: unknown): Earnings | undefined {
  const fields = recordOf(value)
  const [storing, reading] = [recordOf(fields.storing), recordOf(fields.reading)]
  const amount = (text: unknown) => findUint(text, UINT256_END) ?? -1n
  const earnings = {
    storing: { settledAtto: amount(storing.settledAtto), waitingAtto: amount(storing.waitingAtto) },
    reading: { redeemedAtto: amount(reading.redeemedAtto), heldAtto: amount(reading.heldAtto) },
    escrowFreeAtto: amount(fields.escrowFreeAtto),
  }
  const amounts = [...Object.values(earnings.storing), ...Object.values(earnings.reading), earnings.escrowFreeAtto]
  const { block } = fields
  const [{ orders }, { vouchers }] = [storing, reading]
  if (amounts.includes(-1n) || !isCount(block) || !isCount(orders) || !isCount(vouchers)) return undefined
  return {
    storing: { ...earnings.storing, orders },
    reading: { ...earnings.reading, vouchers },
    escrowFreeAtto: earnings.escrowFreeAtto,
    block,
  }
}

/** The user is the one who signs the request, and does not stand in its body. */
export function orderTermsToJson({ user: _, ...terms }: OrderTerms): Record<string, string> {
  return textsOf(terms)
}

export function findOrderTermsFromJson(value: unknown, user: Address): OrderTerms | undefined {
  const fields = recordOf(value)
  const provider = findAddress(fields.provider)
  const price = findUint(fields.priceAttoPerGiBSecond, UINT256_END)
  const numbers = findUint64s(fields, ['nonce', 'sizeBytes', 'start', 'end', 'submitBy'])
  if (!provider || price === undefined || !numbers) return undefined
  return { user, provider, priceAttoPerGiBSecond: price, ...numbers }
}

export function amendmentTermsToJson(terms: AmendmentTerms): Record<string, string> {
  return textsOf(terms)
}

export function findAmendmentTermsFromJson(value: unknown): AmendmentTerms | undefined {
  const fields = recordOf(value)
  const price = findUint(fields.priceAttoPerGiBSecond, UINT256_END)
  const numbers = findUint64s(fields, ['orderId', 'seq', 'sizeBytes', 'end', 'submitBy'])
  return price === undefined || !numbers ? undefined : { priceAttoPerGiBSecond: price, ...numbers }
}

export function setCommitmentToJson({ setRoot, ...numbers }: SetCommitment): Record<string, string> {
  return { ...textsOf(numbers), setRoot: hexFromBytes(setRoot) }
}

export function findSetCommitmentFromJson(value: unknown): SetCommitment | undefined {
  const fields = recordOf(value)
  const setRoot = findBytesFromHex(fields.setRoot, 32)
  const numbers = findUint64s(fields, ['orderId', 'seq', 'usedBytes', 'fromEpoch'])
  return setRoot && numbers && { setRoot, ...numbers }
}

export function cosignedCommitmentToJson(cosigned: CosignedCommitment): Record<string, unknown> {
  return {
    commitment: setCommitmentToJson(cosigned.commitment),
    userSignature: hexFromBytes(cosigned.userSignature),
    providerSignature: hexFromBytes(cosigned.providerSignature),
  }
}

/** The signatures are not checked here. */
export function findCosignedCommitmentFromJson(value: unknown): CosignedCommitment | undefined {
  const fields = recordOf(value)
  const commitment = findSetCommitmentFromJson(fields.commitment)
  const userSignature = findBytesFromHex(fields.userSignature, 65)
  const providerSignature = findBytesFromHex(fields.providerSignature, 65)
  return commitment && userSignature && providerSignature && { commitment, userSignature, providerSignature }
}

export function setPieceToJson({ root, sizeBytes }: SetPiece): Record<string, unknown> {
  return { root: hexFromBytes(root), sizeBytes }
}

export function findSetPieceFromJson(value: unknown): SetPiece | undefined {
  const fields = recordOf(value)
  const root = findBytesFromHex(fields.root, 32)
  return root && isCount(fields.sizeBytes, 1) ? { root, sizeBytes: fields.sizeBytes } : undefined
}

export function orderPieceToJson({ committed, ...piece }: OrderPiece): Record<string, unknown> {
  return { ...setPieceToJson(piece), committed }
}

export function findOrderPieceFromJson(value: unknown): OrderPiece | undefined {
  const piece = findSetPieceFromJson(value)
  const { committed } = recordOf(value)
  return piece && typeof committed === 'boolean' ? { ...piece, committed } : undefined
}

export function readVoucherToJson(voucher: ReadVoucher): Record<string, string> {
  return textsOf(voucher)
}

export function findReadVoucherFromJson(value: unknown): ReadVoucher | undefined {
  const fields = recordOf(value)
  const payer = findAddress(fields.payer)
  const numbers = findUint64s(fields, ['orderId', 'seq', 'bytesRead'])
  return payer && numbers && { payer, ...numbers }
}

/** The fields of `value`, or none where it is no object. */
export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function textsOf(values: Readonly<Record<string, string | bigint>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, `${value}`]))
}

function findUint64s<Name extends string>(
  fields: Readonly<Record<string, unknown>>,
  names: readonly Name[],
): Record<Name, bigint> | undefined {
  const numbers = {} as Record<Name, bigint>
  for (const name of names) {
    const number = findUint64(fields[name])
    if (number === undefined) return undefined
    numbers[name] = number
  }
  return numbers
}
