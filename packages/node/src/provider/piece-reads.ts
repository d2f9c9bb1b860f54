import { encode } from '@ipld/dag-cbor'
import {
  areUnitsOf,
  BadInputError,
  BYTES_TYPE,
  type ByteStream,
  bytesResponse,
  CBOR_TYPE,
  collectBytes,
  findBytesFromHex,
  hashLeaves,
  isLeafProof,
  LEAF_BYTES,
  type LeafProof,
  type LentStream,
  leafCountOf,
  leafPath,
  PieceCorruptError,
  type PieceStore,
  streamResponse,
  UNIT_BYTES,
  type WireResponse,
} from '@memo/core'
import { type Custody, PieceLostError } from './custody.ts'
import type { PieceRecord } from './piece-book.ts'
import { findRange } from './ranges.ts'
import type { Charge, ReadPayments } from './read-payments.ts'

/** Answers reads of pieces (`spec/wire.md` 4 and 12). `root` is 64 hex digits. */
export type PieceReads = {
  get(
    root: string,
    rangeHeader: string | undefined,
    voucher: string | undefined,
    signal?: AbortSignal,
  ): Promise<WireResponse>
  head(root: string): Promise<WireResponse>
  units(root: string, voucher: string | undefined): Promise<WireResponse>
  proof(root: string, leaf: string | null): Promise<WireResponse>
}

export function createPieceReads(options: {
  readonly pieces: PieceStore
  readonly custody: Custody
  readonly payments: Pick<ReadPayments, 'charge'>
}): PieceReads {
  const { pieces, custody, payments } = options

  const lost = async (root: string): Promise<PieceLostError> => {
    const look = async () => ((await pieces.find(root)) ? undefined : 'lost')
    await custody.examine(root, 'it was to be read and is not there', look)
    return new PieceLostError(root)
  }
  const corrupt = async (root: string): Promise<PieceCorruptError> => {
    await custody.mark(root, 'corrupt', 'its bytes do not match its root')
    return new PieceCorruptError(`this provider’s copy of the piece ${root} is damaged`, { root })
  }
  const readUnits = async ({ root, sizeBytes }: PieceRecord): Promise<Uint8Array> => {
    const units = await pieces.readUnits(root)
    if (!units) throw await lost(root)
    if (!areUnitsOf(bytesOfRoot(root), sizeBytes, units)) throw await corrupt(root)
    return units
  }
  const readProof = async (record: PieceRecord, leafIndex: number): Promise<LeafProof> => {
    const { root, sizeBytes } = record
    const units = await readUnits(record)
    const unit = Math.floor((leafIndex * LEAF_BYTES) / UNIT_BYTES)
    const offset = unit * UNIT_BYTES
    const length = Math.min(UNIT_BYTES, sizeBytes - offset)
    const stream = await pieces.read(root, offset, length)
    if (!stream) throw await lost(root)
    const data = await collectBytes(stream, length)
    const inUnit = leafIndex - offset / LEAF_BYTES
    const proof = {
      leafIndex,
      leaf: data.slice(inUnit * LEAF_BYTES, (inUnit + 1) * LEAF_BYTES),
      path: [...leafPath(hashLeaves(data), inUnit), ...leafPath(units, unit)],
    }
    if (!isLeafProof(bytesOfRoot(root), sizeBytes, proof)) throw await corrupt(root)
    return proof
  }

  return {
    async get(root, rangeHeader, voucher, signal) {
      const { sizeBytes } = await custody.getReadable(root)
      const range = findRange(rangeHeader, sizeBytes)
      if (range === 'unsatisfiable') return unsatisfiable(sizeBytes)
      const { offset, length } = range ?? { offset: 0, length: sizeBytes }
      const charge = await payments.charge(voucher, length)
      const found = await readOr(pieces.read(root, offset, length), () => charge.giveBack(length))
      if (!found) throw await lost(root)
      const stream = metered(found, length, charge, signal)
      const headers = pieceHeaders(root, length)
      const { giveBack } = found
      if (!range) return { ...streamResponse(200, stream, headers), giveBack }
      const span = `bytes ${offset}-${offset + length - 1}/${sizeBytes}`
      return { ...streamResponse(206, stream, { ...headers, 'content-range': span }), giveBack }
    },
    async head(root) {
      const { sizeBytes } = await custody.getReadable(root)
      return streamResponse(200, [], pieceHeaders(root, sizeBytes))
    },
    async units(root, voucher) {
      const units = await readUnits(await custody.getReadable(root))
      await payments.charge(voucher, units.length)
      return bytesResponse(200, units)
    },
    async proof(root, leaf) {
      const record = await custody.getReadable(root)
      const leaves = leafCountOf(record.sizeBytes)
      const leafIndex = /^\d{1,15}$/.test(leaf ?? '') ? Number(leaf) : -1
      if (leafIndex < 0 || leafIndex >= leaves) {
        throw new BadInputError(`the piece has the leaves 0 to ${leaves - 1}`, { details: { leaves } })
      }
      const proof = await readProof(record, leafIndex)
      return bytesResponse(200, encode({ leaf: proof.leaf, path: proof.path }), CBOR_TYPE)
    },
  }
}

/** What is to be read; `undo` is called where there is nothing to send after all. */
async function readOr(reading: Promise<LentStream | undefined>, undo: () => void): Promise<LentStream | undefined> {
  let found: LentStream | undefined
  try {
    found = await reading
    return found
  } finally {
    if (!found) undo()
  }
}

/** `body`, giving back at its end what was charged and not sent, also where its requester has gone before it began. */
function metered(body: ByteStream, length: number, charge: Charge, signal: AbortSignal | undefined): ByteStream {
  let unsent = length
  let isOver = false
  const end = () => {
    if (!isOver && unsent > 0) charge.giveBack(unsent)
    isOver = true
    signal?.removeEventListener('abort', end)
  }
  signal?.addEventListener('abort', end)
  if (signal?.aborted) end()
  return {
    [Symbol.asyncIterator]() {
      const iterator = body[Symbol.asyncIterator]()
      return {
        async next() {
          try {
            const step = await iterator.next()
            if (step.done) end()
            else unsent -= step.value.length
            return step
          } catch (thrown) {
            end()
            throw thrown
          }
        },
        async return() {
          end()
          return (await iterator.return?.()) ?? { done: true, value: undefined }
        },
      }
    },
  }
}

/** Bytes under a root never change: whoever has them may keep them. */
function pieceHeaders(root: string, length: number): Record<string, string> {
  return {
    'content-type': BYTES_TYPE,
    'content-length': `${length}`,
    'accept-ranges': 'bytes',
    'cache-control': 'public, max-age=29030400, immutable',
    etag: `"${root}"`,
  }
}

function unsatisfiable(sizeBytes: number): WireResponse {
  return streamResponse(416, [], { 'content-range': `bytes */${sizeBytes}`, 'content-length': '0' })
}

function bytesOfRoot(root: string): Uint8Array {
  return findBytesFromHex(`0x${root}`, 32) ?? new Uint8Array(32)
}
