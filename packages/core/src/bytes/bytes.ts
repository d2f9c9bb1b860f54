import { bytesToHex } from '@noble/hashes/utils.js'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/** UTF-8 bytes of `text`. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** The text of UTF-8 `bytes`; throws `TypeError` when they are not UTF-8. */
export function textFromUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

/** All `parts` in a row. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Whether `value`, which may come from outside, is a whole number from `least` to `most`. */
export function isCount(value: unknown, least = 0, most: number = Number.MAX_SAFE_INTEGER): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
}

/** The last second of the year 9999: what is later has no date that programs agree on, and throws where one is made of it. */
const LAST_TIME = 253_402_300_799

/** Whether `value` is a time in unix seconds. */
export function isTime(value: unknown): value is number {
  return isCount(value, 0, LAST_TIME)
}

/** Whether `a` and `b` hold the same bytes. Not constant time: only for public values. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** 64 hex digits without prefix: how roots and hashes stand in paths and store keys. */
export function hex32(bytes: Uint8Array): string {
  return bytesToHex(bytes)
}

/** 8 bytes, big endian. */
export function uint64be(value: number | bigint): Uint8Array {
  const out = new Uint8Array(8)
  new DataView(out.buffer).setBigUint64(0, BigInt(value), false)
  return out
}

/** 8 bytes, little endian: the byte order of the seeds' login signatures. */
export function uint64le(value: number | bigint): Uint8Array {
  const out = new Uint8Array(8)
  new DataView(out.buffer).setBigUint64(0, BigInt(value), true)
  return out
}

/** A whole number as an unsigned varint: 7 bits a byte, the least ones first. */
export function uvarint(value: number): Uint8Array {
  const out: number[] = []
  let rest = value
  while (rest >= 0x80) {
    out.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  out.push(rest)
  return Uint8Array.from(out)
}
