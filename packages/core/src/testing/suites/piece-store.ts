import { collectBytes, hex32 } from '../../bytes/index.ts'
import { createPieceHasher } from '../../piece/index.ts'
import type { PieceInfo, PieceStore } from '../../ports.ts'
import { type ConformanceCase, casesOf, claim, claimBytes, claimEqual, type Examined, patternBytes } from './case.ts'

/** A piece store to examine. */
export type ExaminedPieceStore = Examined<PieceStore> & {
  /** Opens what lies on the same disk again, as a process does that was killed: nothing was closed before. */
  readonly reopen: () => Promise<PieceStore>
}

const MAX_BYTES = 16_777_216
const PIECE_BYTES = 200_001

/** What every piece store keeps (`spec/ports.md` 4). */
export function describePieceStore(name: string, create: () => Promise<ExaminedPieceStore>): ConformanceCase[] {
  return casesOf(name, create, {
    'a committed piece is read back whole, in any range, with its unit nodes': async (store) => {
      const { root, bytes, units } = await putPiece(store, PIECE_BYTES, 1)
      claimEqual(await store.find(root), { root, sizeBytes: PIECE_BYTES }, 'find')
      claimBytes(await readAll(store, root, 0, PIECE_BYTES), bytes, 'the whole piece')
      for (const [offset, length] of [
        [0, 1],
        [PIECE_BYTES - 1, 1],
        [65_535, 65_538],
        [100_000, 0],
      ] as const) {
        const range = bytes.subarray(offset, offset + length)
        claimBytes(await readAll(store, root, offset, length), range, `${length} bytes from ${offset}`)
      }
      claimBytes(await store.readUnits(root), units, 'unit nodes')
    },
    'an empty piece and one of a single byte are pieces': async (store) => {
      for (const sizeBytes of [0, 1]) {
        const { root, bytes, units } = await putPiece(store, sizeBytes, 2)
        claimEqual(await store.find(root), { root, sizeBytes }, 'find')
        claimBytes(await readAll(store, root, 0, sizeBytes), bytes, `${sizeBytes} bytes`)
        claimBytes(await store.readUnits(root), units, 'unit nodes')
      }
    },
    'what is not there is undefined, and deleting it is false': async (store) => {
      const root = '0'.repeat(64)
      claimEqual(await store.find(root), undefined, 'find')
      claimEqual(await store.read(root, 0, 1), undefined, 'read')
      claimEqual(await store.readUnits(root), undefined, 'readUnits')
      claimEqual(await store.delete(root), false, 'delete')
    },
    'a piece that is being written is invisible until it is committed': async (store) => {
      const piece = makePiece(5_000, 3)
      const writer = await store.create()
      await writer.write(piece.bytes)
      claimEqual(await store.find(piece.root), undefined, 'find before commit')
      claimEqual(await listRoots(store), [], 'list before commit')
      await writer.commit(piece.root, piece.units)
      claimEqual(await listRoots(store), [piece.root], 'list after commit')
    },
    'the caller may use its memory again once a write resolved': async (store) => {
      const piece = makePiece(150_000, 4)
      const writer = await store.create()
      const memory = new Uint8Array(50_000)
      for (let at = 0; at < 150_000; at += memory.length) {
        memory.set(piece.bytes.subarray(at, at + memory.length))
        await writer.write(memory)
        memory.fill(0xee)
      }
      const units = piece.units.slice()
      await writer.commit(piece.root, units)
      units.fill(0xee)
      claimBytes(await readAll(store, piece.root, 0, 150_000), piece.bytes, 'the piece')
      claimBytes(await store.readUnits(piece.root), piece.units, 'unit nodes')
    },
    'an aborted piece leaves nothing, and aborting twice is no fault': async (store) => {
      const writer = await store.create()
      await writer.write(patternBytes(10_000))
      await writer.abort()
      await writer.abort()
      claimEqual(await listRoots(store), [], 'list')
      claimEqual(await store.recover(), { removed: 0 }, 'recover')
    },
    'pieces written side by side do not mix': async (store) => {
      const pieces = [5, 6, 7].map((label) => makePiece(90_000 + label, label))
      const writers = await Promise.all(pieces.map(() => store.create()))
      for (let at = 0; at < 100_000; at += 30_000) {
        await Promise.all(writers.map((writer, i) => writer.write(pieces[i]!.bytes.subarray(at, at + 30_000))))
      }
      await Promise.all(writers.map((writer, i) => writer.commit(pieces[i]!.root, pieces[i]!.units)))
      for (const { root, bytes } of pieces) {
        claimBytes(await readAll(store, root, 0, bytes.length), bytes, 'a piece')
      }
      claimEqual(await listRoots(store), pieces.map((piece) => piece.root).sort(), 'list')
    },
    'committing a piece again keeps one of it': async (store) => {
      const first = await putPiece(store, 70_000, 8)
      await putPiece(store, 70_000, 8)
      claimEqual(await listRoots(store), [first.root], 'list')
      claimBytes(await readAll(store, first.root, 0, 70_000), first.bytes, 'the piece')
    },
    'a deleted piece is gone for good': async (store, { reopen }) => {
      const { root } = await putPiece(store, 70_000, 9)
      const { root: kept } = await putPiece(store, 10, 10)
      claimEqual(await store.delete(root), true, 'delete')
      claimEqual(await store.find(root), undefined, 'find')
      claimEqual(await store.delete(root), false, 'delete again')
      claimEqual(await listRoots(await reopen()), [kept], 'list after a crash')
    },
    'what was committed survives a crash; what was not is invisible and removed by recover': async (
      store,
      examined,
    ) => {
      const { root, bytes, units } = await putPiece(store, PIECE_BYTES, 11)
      for (const label of [12, 13]) await (await store.create()).write(patternBytes(100_000, label))
      const again = await examined.reopen()
      const { removed } = await again.recover()
      claim(removed > 0, 'recover says how much it removed')
      claimEqual(await listRoots(again), [root], 'list')
      claimBytes(await readAll(again, root, 0, PIECE_BYTES), bytes, 'the piece')
      claimBytes(await again.readUnits(root), units, 'unit nodes')
      claimEqual(await again.recover(), { removed: 0 }, 'a second recover')
    },
    'a read that is given up half-way harms no other': async (store) => {
      const { root, bytes } = await putPiece(store, 1_000_000, 14)
      for await (const part of (await store.read(root, 0, bytes.length))!) {
        claim(part.length > 0, 'parts are not empty')
        break
      }
      claimBytes(await readAll(store, root, 0, bytes.length), bytes, 'the piece')
    },
    'there is room, and a number says how much': async (store) => {
      const freeBytes = await store.freeBytes()
      claim(Number.isSafeInteger(freeBytes) && freeBytes > 0, `free bytes are ${freeBytes}`)
    },
  })
}

function makePiece(sizeBytes: number, label: number): { root: string; bytes: Uint8Array; units: Uint8Array } {
  const bytes = patternBytes(sizeBytes, label)
  const hasher = createPieceHasher()
  hasher.update(bytes)
  const { root, units } = hasher.finish()
  return { root: hex32(root), bytes, units }
}

async function putPiece(store: PieceStore, sizeBytes: number, label: number): Promise<ReturnType<typeof makePiece>> {
  const piece = makePiece(sizeBytes, label)
  const writer = await store.create()
  await writer.write(piece.bytes)
  await writer.commit(piece.root, piece.units)
  return piece
}

async function readAll(store: PieceStore, root: string, offset: number, length: number): Promise<Uint8Array> {
  const stream = await store.read(root, offset, length)
  claim(stream, 'the piece is there')
  return await collectBytes(stream, MAX_BYTES)
}

async function listRoots(store: PieceStore): Promise<string[]> {
  const infos: PieceInfo[] = []
  for await (const info of store.list()) infos.push(info)
  return infos.map((info) => info.root).sort()
}
