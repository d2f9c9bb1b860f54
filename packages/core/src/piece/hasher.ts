import { concatBytes } from '../bytes/index.ts'
import { HASH_BYTES, hashUnits, rootFromUnits, UNIT_BYTES } from './tree.ts'

/** What hashing a piece gives. */
export type PieceDigest = {
  /** The piece's id, 32 bytes. */
  readonly root: Uint8Array
  readonly sizeBytes: number
  /** All unit nodes (32 bytes per 64 KiB): enough to verify any unit alone. */
  readonly units: Uint8Array
}

/** Hashes a piece as it streams by, holding one unit at the most. */
export type PieceHasher = {
  update(bytes: Uint8Array): void
  finish(): PieceDigest
}

export function createPieceHasher(): PieceHasher {
  const units: Uint8Array[] = []
  const pending = new Uint8Array(UNIT_BYTES)
  let filled = 0
  let sizeBytes = 0
  return {
    update(bytes) {
      sizeBytes += bytes.length
      let at = 0
      if (filled > 0) {
        at = Math.min(UNIT_BYTES - filled, bytes.length)
        pending.set(bytes.subarray(0, at), filled)
        filled += at
        if (filled < UNIT_BYTES) return
        units.push(hashUnits(pending))
        filled = 0
      }
      const whole = bytes.length - ((bytes.length - at) % UNIT_BYTES)
      if (whole > at) units.push(hashUnits(bytes.subarray(at, whole)))
      pending.set(bytes.subarray(whole), 0)
      filled = bytes.length - whole
    },
    finish() {
      if (filled > 0 || units.length === 0) units.push(hashUnits(pending.subarray(0, filled)))
      const all = concatBytes(...units)
      return { root: rootFromUnits(all, sizeBytes), sizeBytes, units: all }
    },
  }
}

/** Unit nodes that a piece of `sizeBytes` has, in bytes. */
export function unitsLengthOf(sizeBytes: number): number {
  return Math.max(1, Math.ceil(sizeBytes / UNIT_BYTES)) * HASH_BYTES
}
