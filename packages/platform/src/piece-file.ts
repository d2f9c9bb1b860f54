import type { FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { DiskFaultError } from './disk.ts'

/**
 * The form of a piece on disk (`spec/data-directory.md` 4): the bytes of the piece, so that every range of it is the
 * same range of the file; its unit nodes; and a footer of 32 bytes:
 *
 *     magic (8) | size of the piece (u64le) | length of the unit nodes (u64le) | CRC-32 of unit nodes and the 24 bytes before (u32le) | zeros (4)
 *
 * Piece and unit nodes appear by one rename, so that neither is ever seen without the other.
 */
export const FOOTER_BYTES = 32
const CHECKED_BYTES = 24
const MAGIC: Uint8Array = new TextEncoder().encode('MEMOPC01')
/** Unit nodes of the largest piece that the format allows; anything above is damage. */
const MAX_UNITS_BYTES = 268_435_456

/** What a footer says. */
export type PieceShape = { readonly sizeBytes: number; readonly unitsBytes: number }

/** What follows the bytes of a piece in its file. */
export function encodeTrailer(sizeBytes: number, units: Uint8Array): Uint8Array {
  const out = new Uint8Array(units.length + FOOTER_BYTES)
  out.set(units)
  const footer = out.subarray(units.length)
  footer.set(MAGIC)
  const view = new DataView(footer.buffer, footer.byteOffset, FOOTER_BYTES)
  view.setBigUint64(8, BigInt(sizeBytes), true)
  view.setBigUint64(16, BigInt(units.length), true)
  view.setUint32(CHECKED_BYTES, checksum(units, footer), true)
  return out
}

/** Reads the footer of the piece in `file`. Errors: {@link DiskFaultError} when this is no whole piece. */
export async function readShape(file: FileHandle, path: string): Promise<PieceShape> {
  const { size } = await file.stat()
  const footer = await readExactly(file, path, size - FOOTER_BYTES, new Uint8Array(FOOTER_BYTES))
  const view = new DataView(footer.buffer, footer.byteOffset, FOOTER_BYTES)
  const [sizeBytes, unitsBytes] = [Number(view.getBigUint64(8, true)), Number(view.getBigUint64(16, true))]
  const isWhole =
    MAGIC.every((byte, i) => footer[i] === byte) &&
    unitsBytes <= MAX_UNITS_BYTES &&
    sizeBytes + unitsBytes + FOOTER_BYTES === size
  if (!isWhole) throw new DiskFaultError(path, 'a stored piece is damaged')
  return { sizeBytes, unitsBytes }
}

/** Reads the unit nodes. Errors: {@link DiskFaultError} when they are not what was written. */
export async function readUnitNodes(file: FileHandle, path: string, shape: PieceShape): Promise<Uint8Array> {
  const trailer = await readExactly(file, path, shape.sizeBytes, new Uint8Array(shape.unitsBytes + FOOTER_BYTES))
  const units = trailer.subarray(0, shape.unitsBytes)
  const footer = trailer.subarray(shape.unitsBytes)
  const stored = new DataView(footer.buffer, footer.byteOffset, FOOTER_BYTES).getUint32(CHECKED_BYTES, true)
  if (stored !== checksum(units, footer)) throw new DiskFaultError(path, 'the unit nodes of a stored piece are damaged')
  return units
}

/** Fills `out` with the bytes at `offset`. Errors: {@link DiskFaultError} where the file ends before. */
export async function readExactly(
  file: FileHandle,
  path: string,
  offset: number,
  out: Uint8Array,
): Promise<Uint8Array> {
  const { length } = out
  let filled = 0
  while (offset >= 0 && filled < length) {
    const { bytesRead } = await file.read(out, filled, length - filled, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  if (offset < 0 || filled < length) throw new DiskFaultError(path, 'a stored piece is shorter than it says')
  return out
}

function checksum(units: Uint8Array, footer: Uint8Array): number {
  return crc32(footer.subarray(0, CHECKED_BYTES), crc32(units))
}
