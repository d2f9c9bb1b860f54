import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'

/** `0x` and an even number of lower-case hex digits. */
export type Hex = `0x${string}`

/** A 20-byte account address as lower-case {@link Hex}. */
export type Address = `0x${string}`

/** The provider of a piece that nobody holds (`spec/wire.md` 6). */
export const NOBODY: Address = `0x${'0'.repeat(40)}`

const HEX = /^0x([0-9a-fA-F]{2})*$/
const ADDRESS = /^0x[0-9a-fA-F]{40}$/

/** `0x`-prefixed lower-case hex of `bytes`. */
export function hexFromBytes(bytes: Uint8Array): Hex {
  return `0x${bytesToHex(bytes)}`
}

/** The bytes of a `0x` hex string, or undefined when it is not one (or not of `length` bytes, if given). */
export function findBytesFromHex(value: unknown, length?: number): Uint8Array | undefined {
  if (typeof value !== 'string' || !HEX.test(value)) return undefined
  const bytes = hexToBytes(value.slice(2))
  return length === undefined || bytes.length === length ? bytes : undefined
}

/** The canonical (lower-case) address of a string in any case, or undefined when it is not an address. */
export function findAddress(value: unknown): Address | undefined {
  return typeof value === 'string' && ADDRESS.test(value) ? (value.toLowerCase() as Address) : undefined
}
