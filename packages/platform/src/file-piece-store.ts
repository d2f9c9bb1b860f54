import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, opendir, readdir, rename, rm, stat, statfs, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { assert, type LentStream, type PieceStore, type PieceWriter } from '@memo/core'
import { diskError, errnoOf, onDisk, syncDirectory } from './disk.ts'
import { encodeTrailer, readExactly, readShape, readUnitNodes } from './piece-file.ts'

/** Bytes in one read: each costs a turn of a thread, so that large ones feed sockets fastest. A strip is one. */
const READ_BYTES = 1_048_576
/** Streams beyond which reads are small: what a stream holds is bounded by whoever opens a thousand and reads none. */
const LARGE_STREAMS = 32
/** Memory of large reads that is kept for the next ones. */
const KEPT_READS = 4
/** Pieces whose size is remembered: a root has one size for ever, and reads of one piece come in a row. */
const KNOWN_SIZES = 4_096
const SMALL_READ_BYTES = 131_072
/** Bytes that are gathered before they are handed to the operating system. */
const WRITE_BYTES = 262_144
/** Room that pieces never take, so that databases and logs on the same disk can still be written. */
const RESERVE_BYTES = 1_073_741_824
const ROOT = /^[0-9a-f]{64}$/
const FAN = /^[0-9a-f]{2}$/

export type FilePieceStoreOptions = {
  /** Room on the disk that is never offered. */
  readonly reserveBytes?: number
  /** Told of each damaged piece that `list` leaves out. */
  readonly onFault?: (error: unknown) => void
}

/**
 * Pieces as files under `dir`: `pieces/<first byte of the root>/<root>`, with `incoming/` for those being written
 * (`spec/data-directory.md` 4). Errors: DiskFullError, DiskFaultError.
 */
export async function openFilePieceStore(dir: string, options: FilePieceStoreOptions = {}): Promise<PieceStore> {
  const { reserveBytes = RESERVE_BYTES, onFault } = options
  const pieces = join(dir, 'pieces')
  const incoming = join(dir, 'incoming')
  await onDisk(dir, async () => {
    await mkdir(pieces, { recursive: true, mode: 0o700 })
    await mkdir(incoming, { recursive: true, mode: 0o700 })
    await syncDirectory(dir)
  })
  const fans = createFans(pieces)
  const streams = createStreams()
  const sizes = createSizes()
  const find = async (root: string) =>
    await withPiece(pieces, root, async (file, path) => {
      const { sizeBytes } = await readShape(file, path)
      return { root, sizeBytes }
    })
  return {
    find,
    async create() {
      const path = join(incoming, `${randomBytes(16).toString('hex')}.part`)
      const file = await onDisk(path, async () => await open(path, 'wx', 0o600))
      return createWriter(file, path, async (root) => join(await fans.get(root), root))
    },
    async read(root, offset, length) {
      const file = await openPiece(pieces, root)
      if (!file) return undefined
      const path = pathOf(pieces, root)
      try {
        const sizeBytes =
          sizes.find(root) ?? sizes.keep(root, (await onDisk(path, async () => await readShape(file, path))).sizeBytes)
        return rangeOf(file, path, Math.min(offset, sizeBytes), Math.min(offset + length, sizeBytes), streams)
      } catch (error) {
        await file.close()
        throw error
      }
    },
    async readUnits(root) {
      return await withPiece(pieces, root, async (file, path) => {
        return await readUnitNodes(file, path, await readShape(file, path))
      })
    },
    async delete(root) {
      if (!ROOT.test(root)) return false
      const path = pathOf(pieces, root)
      return await onDisk(path, async () => {
        if (!(await removed(path))) return false
        sizes.forget(root)
        await syncDirectory(fans.of(root))
        return true
      })
    },
    async *list() {
      // Only ours: a disk of its own that is mounted here brings a `lost+found` that nobody may read.
      const fans = (await onDisk(pieces, async () => await readdir(pieces))).filter((name) => FAN.test(name))
      for (const fan of fans.sort()) {
        for await (const { name } of await onDisk(fan, async () => await opendir(join(pieces, fan)))) {
          const info = await find(name).catch((error: unknown) => {
            onFault?.(error)
            return undefined
          })
          if (info) yield info
        }
      }
    },
    async recover() {
      return await onDisk(incoming, async () => {
        const names = await readdir(incoming)
        for (const name of names) await rm(join(incoming, name), { force: true })
        await syncDirectory(incoming)
        return { removed: names.length }
      })
    },
    async freeBytes() {
      const { bavail, bsize } = await onDisk(dir, async () => await statfs(dir))
      return Math.max(0, bavail * bsize - reserveBytes)
    },
  }
}

function pathOf(pieces: string, root: string): string {
  return join(pieces, root.slice(0, 2), root)
}

/** The file of a piece; undefined when there is none, also for what is no root at all. */
async function openPiece(pieces: string, root: string): Promise<FileHandle | undefined> {
  if (!ROOT.test(root)) return undefined
  const path = pathOf(pieces, root)
  try {
    return await open(path, 'r')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw diskError(error, path)
  }
}

async function withPiece<T>(
  pieces: string,
  root: string,
  use: (file: FileHandle, path: string) => Promise<T>,
): Promise<T | undefined> {
  const file = await openPiece(pieces, root)
  if (!file) return undefined
  const path = pathOf(pieces, root)
  try {
    return await onDisk(path, async () => await use(file, path))
  } finally {
    await file.close()
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}

async function removed(path: string): Promise<boolean> {
  try {
    await unlink(path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}

/** The directories that pieces fan out to; each is made durable before the first piece goes in. */
function createFans(pieces: string): { of(root: string): string; get(root: string): Promise<string> } {
  const made = new Map<string, Promise<void>>()
  const of = (root: string) => join(pieces, root.slice(0, 2))
  return {
    of,
    async get(root) {
      const fan = of(root)
      const making =
        made.get(fan) ??
        onDisk(fan, async () => {
          await mkdir(fan, { recursive: true, mode: 0o700 })
          await syncDirectory(pieces)
        })
      made.set(fan, making)
      try {
        await making
      } catch (error) {
        made.delete(fan)
        throw error
      }
      return fan
    },
  }
}

function createWriter(file: FileHandle, path: string, target: (root: string) => Promise<string>): PieceWriter {
  const buffer = new Uint8Array(WRITE_BYTES)
  let buffered = 0
  let sizeBytes = 0
  let hasEnded = false
  let isCommitted = false
  const put = async (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at)).bytesWritten
  }
  const flush = async () => {
    const length = buffered
    buffered = 0
    if (length > 0) await put(buffer.subarray(0, length))
  }
  const end = async () => {
    hasEnded = true
    await file.close()
  }
  return {
    async write(bytes) {
      assert(!hasEnded, 'a piece is written before it is committed or aborted')
      sizeBytes += bytes.length
      await onDisk(path, async () => {
        if (buffered + bytes.length > WRITE_BYTES) await flush()
        if (bytes.length >= WRITE_BYTES) return await put(bytes)
        buffer.set(bytes, buffered)
        buffered += bytes.length
      })
    },
    async commit(root, units) {
      assert(!hasEnded && ROOT.test(root), 'a piece is committed once, under a root')
      await onDisk(path, async () => {
        await flush()
        await put(encodeTrailer(sizeBytes, units))
        await file.sync()
        await end()
        const final = await target(root)
        // Two writers of one root may both find none: the later copy has the same bytes, so that needs no lock.
        if (await exists(final)) await rm(path)
        else await rename(path, final)
        // Also for a piece that was there: its writer may not have come so far yet.
        await syncDirectory(join(final, '..'))
        isCommitted = true
      })
    },
    async abort() {
      if (isCommitted) return
      await onDisk(path, async () => {
        if (!hasEnded) await end()
        await rm(path, { force: true })
      })
    },
  }
}

/** What streams share: how many there are, and memory of large reads. */
type Streams = {
  open: number
  memoryFor(bytes: number): Uint8Array
  giveBack(block: Uint8Array): void
}

function createStreams(): Streams {
  const kept: Uint8Array[] = []
  return {
    open: 0,
    memoryFor: (bytes) => (bytes === READ_BYTES ? kept.pop() : undefined) ?? new Uint8Array(bytes),
    giveBack(block) {
      if (block.length === READ_BYTES && kept.length < KEPT_READS) kept.push(block)
    },
  }
}

/** Sizes of pieces by root; the one longest known goes first. */
function createSizes() {
  const sizes = new Map<string, number>()
  return {
    find: (root: string): number | undefined => sizes.get(root),
    forget: (root: string): void => void sizes.delete(root),
    keep(root: string, sizeBytes: number): number {
      sizes.set(root, sizeBytes)
      const [oldest] = sizes.keys()
      if (sizes.size > KNOWN_SIZES && oldest !== undefined) sizes.delete(oldest)
      return sizeBytes
    },
  }
}

/** A range as a stream. One read is always ahead of the reader; `return()` closes the file, also before the first read. */
function rangeOf(file: FileHandle, path: string, startAt: number, endAt: number, streams: Streams): LentStream {
  streams.open++
  let at = startAt
  let ahead: Promise<Uint8Array> | undefined
  let isOpen = true
  const fetch = () => {
    if (at >= endAt) return undefined
    const from = at
    at = Math.min(endAt, at + (streams.open > LARGE_STREAMS ? SMALL_READ_BYTES : READ_BYTES))
    const memory = streams.memoryFor(at - from)
    const reading = onDisk(path, async () => await readExactly(file, path, from, memory))
    reading.catch(() => undefined) // told to whoever reads on; after `return` nobody does
    return reading
  }
  const finish = async () => {
    if (!isOpen) return
    isOpen = false
    streams.open--
    await ahead?.catch(() => undefined) // a file is not closed under a read that is still going on
    await file.close()
  }
  const iterator: AsyncIterableIterator<Uint8Array> & LentStream = {
    giveBack: streams.giveBack,
    [Symbol.asyncIterator]: () => iterator,
    async next() {
      const reading = isOpen ? (ahead ?? fetch()) : undefined
      if (!reading) {
        await finish()
        return { done: true, value: undefined }
      }
      try {
        const value = await reading
        ahead = fetch()
        return { done: false, value }
      } catch (error) {
        await finish()
        throw error
      }
    },
    async return() {
      await finish()
      return { done: true, value: undefined }
    },
  }
  return iterator
}
