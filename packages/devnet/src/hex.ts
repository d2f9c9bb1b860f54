/** A 0x-prefixed lower-case hexadecimal string. */
export type Hex = `0x${string}`

/** Bytes as hex. */
export function hexFromBytes(bytes: Uint8Array): Hex {
  return `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`
}

/** Hex that was already checked, as bytes. */
export function bytesFromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.startsWith('0x') ? hex.slice(2) : hex, 'hex'))
}

/** A JSON-RPC quantity: no leading zero. */
export function quantity(value: bigint | number): Hex {
  return `0x${value.toString(16)}`
}
