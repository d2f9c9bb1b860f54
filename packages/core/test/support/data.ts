import { createHash } from 'node:crypto'

/** `length` bytes that look random and are the same for one `label`: SHA-256 of label and block number in a row. */
export function dataOf(label: string, length: number): Uint8Array {
  const out = new Uint8Array(length)
  for (let at = 0, block = 0; at < length; at += 32, block++) {
    const digest = createHash('sha256').update(`${label}:${block}`).digest()
    out.set(digest.subarray(0, Math.min(32, length - at)), at)
  }
  return out
}
