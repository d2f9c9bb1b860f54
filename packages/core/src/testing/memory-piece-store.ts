import { concatBytes } from '../bytes/index.ts'
import { assert } from '../errors/index.ts'
import type { PieceInfo, PieceStore, PieceWriter } from '../ports.ts'
import { InjectedFaultError } from './injected-fault.ts'
import type { DiskState } from './memory-disk.ts'

/** Bytes that a read gives at a time. */
const READ_BYTES = 65_536

/** A piece store on `disk`; it dies with the disk's next crash. */
export function openPieces(disk: DiskState, generation: number): PieceStore {
  const infoOf = (root: string): PieceInfo | undefined => {
    const piece = disk.pieces.get(root)
    return piece && { root, sizeBytes: piece.bytes.length }
  }
  return {
    async create() {
      disk.check('write', generation)
      return createWriter(disk, generation)
    },
    async find(root) {
      disk.check('read', generation)
      return infoOf(root)
    },
    async read(root, offset, length) {
      disk.check('read', generation)
      const bytes = disk.pieces.get(root)?.bytes
      return bytes && readRange(disk, generation, bytes.subarray(offset, offset + length))
    },
    async readUnits(root) {
      disk.check('read', generation)
      return disk.pieces.get(root)?.units.slice()
    },
    async delete(root) {
      disk.check('write', generation)
      if (!disk.pieces.has(root)) return false
      await disk.sync(generation)
      return disk.pieces.delete(root)
    },
    async *list() {
      for (const root of [...disk.pieces.keys()].sort()) {
        disk.check('read', generation)
        const info = infoOf(root)
        if (info) yield info
      }
    },
    async recover() {
      disk.check('write', generation)
      const removed = disk.halfWritten.size
      disk.halfWritten.clear()
      return { removed }
    },
    async freeBytes() {
      disk.check('read', generation)
      return Math.max(0, disk.capacityBytes - disk.usedBytes())
    },
  }
}

function createWriter(disk: DiskState, generation: number): PieceWriter {
  const parts: Uint8Array[] = []
  const self = {}
  let sizeBytes = 0
  let ended = false
  disk.halfWritten.add(self)
  return {
    async write(bytes) {
      assert(!ended, 'a piece that is still being written')
      disk.check('write', generation)
      sizeBytes += bytes.length
      if (disk.usedBytes() + sizeBytes > disk.capacityBytes) throw new InjectedFaultError('the disk is full')
      parts.push(bytes.slice())
    },
    async commit(root, units) {
      assert(!ended, 'a piece that is still being written')
      ended = true
      const kept = units.slice()
      await disk.sync(generation)
      disk.halfWritten.delete(self)
      if (!disk.pieces.has(root)) disk.pieces.set(root, { bytes: concatBytes(...parts), units: kept })
    },
    async abort() {
      ended = true
      parts.length = 0
      disk.halfWritten.delete(self)
    },
  }
}

async function* readRange(disk: DiskState, generation: number, range: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < range.length; at += READ_BYTES) {
    disk.check('read', generation)
    yield range.slice(at, at + READ_BYTES)
  }
}
