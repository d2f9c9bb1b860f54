import { randomFillSync } from 'node:crypto'
import type { ByteStream } from '@memo/core'

const MIB = 1_048_576
const BLOCK_BYTES = 16 * MIB
/** As large as file reads are that feed uploads. */
const SLICE_BYTES = 262_144

const block = randomFillSync(new Uint8Array(BLOCK_BYTES))

/** A body that can be sent again, and that no other body equals. */
export type Body = {
  readonly sizeBytes: number
  open(): ByteStream
}

let made = 0

export function createBody(sizeBytes: number): Body {
  const head = block.slice(0, Math.min(SLICE_BYTES, sizeBytes))
  head.set(new TextEncoder().encode(`${process.pid} ${made++} `).subarray(0, head.length))
  return {
    sizeBytes,
    async *open() {
      yield head
      for (let at = head.length; at < sizeBytes; at += SLICE_BYTES) {
        const from = at % BLOCK_BYTES
        yield block.subarray(from, from + Math.min(SLICE_BYTES, sizeBytes - at))
      }
    },
  }
}

/** The whole body of `sizeBytes` in memory. */
export function createBytes(sizeBytes: number): Uint8Array {
  const from = (made * 4_099) % (BLOCK_BYTES - sizeBytes)
  const bytes = block.slice(from, from + sizeBytes)
  bytes.set(new TextEncoder().encode(`${process.pid} ${made++} `).subarray(0, sizeBytes))
  return bytes
}
