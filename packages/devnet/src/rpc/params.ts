import { bytesFromHex, type Hex } from '../hex.ts'
import { invalidParams } from './errors.ts'

const MAX_QUANTITY = 2n ** 256n - 1n

/** A JSON object of parameters. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Hex of whole bytes, in lower case. */
export function parseData(value: unknown, name: string): Hex {
  if (typeof value !== 'string' || !/^0x(?:[0-9a-fA-F]{2})*$/.test(value)) {
    throw invalidParams(`invalid argument ${name}: hex data with an even number of digits expected`)
  }
  return value.toLowerCase() as Hex
}

/** Hex of exactly `sizeBytes`. */
export function parseFixed(value: unknown, sizeBytes: number, name: string): Hex {
  const data = parseData(value, name)
  if (data.length !== 2 + 2 * sizeBytes) throw invalidParams(`invalid argument ${name}: ${sizeBytes} bytes expected`)
  return data
}

export function parseAddress(value: unknown, name: string): Hex {
  return parseFixed(value, 20, name)
}

export function parseHash(value: unknown, name: string): Hex {
  return parseFixed(value, 32, name)
}

/** A quantity of at most 256 bits; leading zeros are forgiven. */
export function parseQuantity(value: unknown, name: string): bigint {
  if (typeof value !== 'string' || !/^0x[0-9a-fA-F]{1,64}$/.test(value)) {
    throw invalidParams(`invalid argument ${name}: hex quantity expected`)
  }
  const quantity = BigInt(value)
  if (quantity > MAX_QUANTITY) throw invalidParams(`invalid argument ${name}: quantity over 256 bits`)
  return quantity
}

/** A quantity that a number holds exactly. */
export function parseCount(value: unknown, name: string): number {
  const quantity = parseQuantity(value, name)
  if (quantity > BigInt(Number.MAX_SAFE_INTEGER)) throw invalidParams(`invalid argument ${name}: too large`)
  return Number(quantity)
}

/** Seconds as test tools send them: a JSON number, or a quantity. */
export function parseSeconds(value: unknown, name: string): number {
  if (typeof value !== 'number') return parseCount(value, name)
  if (!Number.isSafeInteger(value) || value < 0) throw invalidParams(`invalid argument ${name}: seconds expected`)
  return value
}

/** A storage slot: short forms are padded, as geth does. */
export function parseSlot(value: unknown, name: string): Uint8Array {
  return bytesFromHex(parseQuantity(value, name).toString(16).padStart(64, '0'))
}
