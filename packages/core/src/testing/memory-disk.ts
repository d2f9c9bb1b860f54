import type { IndexChange, IndexStore, PieceStore, Timers } from '../ports.ts'
import { InjectedFaultError } from './injected-fault.ts'
import { openIndex } from './memory-index-store.ts'
import { openPieces } from './memory-piece-store.ts'

/** What a disk does that can be made to fail. */
export type DiskOperation = 'read' | 'write' | 'sync'

/** Gives the error with which an operation fails, or undefined when it succeeds. */
export type DiskFault = (operation: DiskOperation) => Error | undefined

export type MemoryDiskOptions = {
  /** Room for pieces. */
  readonly capacityBytes?: number
  /** How long a sync takes, and what it waits with: what a crash cuts short is lost. */
  readonly sync?: { readonly timers: Timers; readonly ms: number }
}

/**
 * A disk in memory. Stores opened on it live until {@link MemoryDisk.crash}; what was synced is there when they are
 * opened again, and nothing else.
 */
export type MemoryDisk = {
  openPieceStore(): PieceStore
  openIndexStore(): IndexStore
  /** Kills all that is open, as a power cut does. */
  crash(): void
  setFault(fault: DiskFault | undefined): void
  /** Flips one bit of a stored piece behind its store's back; false when there is no such byte. */
  corruptPiece(root: string, offset: number): boolean
  /** Drops a piece behind its store's back; false when there was none. */
  losePiece(root: string): boolean
  /** Roots of the pieces stored now, sorted. */
  pieceRoots(): string[]
  /** Size of a piece that is stored now; 0 where there is none. */
  pieceBytes(root: string): number
  /** Pieces that are being written, or were when a crash came and have not been removed since. */
  halfWrittenCount(): number
}

export type StoredPiece = { readonly bytes: Uint8Array; readonly units: Uint8Array }

/** What stores of one disk share. */
export type DiskState = {
  readonly pieces: Map<string, StoredPiece>
  readonly records: Map<string, Uint8Array>
  /** Pieces that were being written. */
  readonly halfWritten: Set<object>
  readonly capacityBytes: number
  usedBytes(): number
  /** Throws when the disk is to fail now, or when the store was opened before the last crash. */
  check(operation: DiskOperation, generation: number): void
  /** Makes what was written durable, unless a crash comes first. */
  sync(generation: number): Promise<void>
}

const DEFAULT_CAPACITY_BYTES = 2 ** 40

export function createMemoryDisk(options: MemoryDiskOptions = {}): MemoryDisk {
  let generation = 0
  let fault: DiskFault | undefined
  const state: DiskState = {
    pieces: new Map(),
    records: new Map(),
    halfWritten: new Set(),
    capacityBytes: options.capacityBytes ?? DEFAULT_CAPACITY_BYTES,
    usedBytes: () => [...state.pieces.values()].reduce((sum, piece) => sum + piece.bytes.length, 0),
    check(operation, openedIn) {
      if (openedIn !== generation) throw new InjectedFaultError('the disk crashed under this store')
      const error = fault?.(operation)
      if (error) throw error
    },
    async sync(openedIn) {
      state.check('sync', openedIn)
      if (options.sync) await options.sync.timers.sleep(options.sync.ms)
      if (openedIn !== generation) throw new InjectedFaultError('the disk crashed before it had synced')
    },
  }
  return {
    openPieceStore: () => openPieces(state, generation),
    openIndexStore: () => openIndex(state, generation),
    crash() {
      generation++
    },
    setFault(next) {
      fault = next
    },
    corruptPiece(root, offset) {
      const bytes = state.pieces.get(root)?.bytes
      if (bytes === undefined || offset >= bytes.length) return false
      bytes[offset]! ^= 1
      return true
    },
    losePiece: (root) => state.pieces.delete(root),
    halfWrittenCount: () => state.halfWritten.size,
    pieceRoots: () => [...state.pieces.keys()].sort(),
    pieceBytes: (root) => state.pieces.get(root)?.bytes.length ?? 0,
  }
}

/** A piece store on a disk of its own. */
export function createMemoryPieceStore(options: MemoryDiskOptions = {}): PieceStore {
  return createMemoryDisk(options).openPieceStore()
}

/** An index store on a disk of its own. */
export function createMemoryIndexStore(initial: readonly IndexChange[] = []): IndexStore {
  const disk = createMemoryDisk()
  const store = disk.openIndexStore()
  if (initial.length > 0) store.apply(initial).catch(() => undefined) // a fresh disk without faults takes it at once
  return store
}
