import { equalBytes, hexFromBytes } from '../bytes/index.ts'
import { assert, MemoError } from '../errors/index.ts'
import { createPieceHasher, type PieceDigest } from '../piece/index.ts'
import { geometryOf, type Placement } from '../placement/index.ts'
import { type PartGeometry, rebuildStrip, stripBytesOf } from '../stripe/index.ts'

/** What {@link rebuildPiece} works with. */
export type RebuildOptions = {
  /** Only what the part is made of; who holds it is the caller's matter. */
  readonly placement: Placement
  /** The piece to make. */
  readonly index: number
  /**
   * Strip `stripe` of piece `pieceIndex`, checked against the piece's root; undefined when it cannot be had. A
   * MemoError means the same and is kept as a cause. It has its own deadline.
   */
  readonly readStrip: (pieceIndex: number, stripe: number, signal: AbortSignal) => Promise<Uint8Array | undefined>
  /** Takes the piece strip by strip, in order; resolves when the bytes may be reused. */
  readonly write: (strip: Uint8Array) => Promise<void>
  readonly signal?: AbortSignal | undefined
}

/** The pieces of a part do not belong together: what any k of them give is not the piece that was recorded. */
export class PieceUnrepairableError extends MemoError {
  override readonly name: string = 'PieceUnrepairableError'
  constructor(placement: Placement, index: number, root: Uint8Array) {
    super(`piece ${index} cannot be rebuilt: the part was coded wrongly by the one who stored it`, {
      blame: 'user',
      retry: 'never',
      fix: 'Put the object again; what was stored can be read only where the data pieces themselves survive.',
      details: { partId: hexFromBytes(placement.partId), index, rebuilt: hexFromBytes(root) },
    })
  }
}

/** Fewer than k pieces of a part could be read. */
export class TooFewPiecesError extends MemoError {
  override readonly name: string = 'TooFewPiecesError'
  constructor(placement: Placement, stripe: number, present: number, causes: readonly unknown[]) {
    const needed = placement.dataShards
    super(`${needed} pieces are needed to read stripe ${stripe} of a part, and ${present} could be read`, {
      blame: 'provider',
      retry: 'later',
      fix: 'Try again when more of the providers answer.',
      details: { partId: hexFromBytes(placement.partId), stripe, needed, present },
      cause: causes.length > 1 ? new AggregateError(causes, 'several pieces could not be read') : causes[0],
    })
  }
}

/**
 * Makes one piece of a part from any k others, stripe by stripe, and checks that it is the one that was recorded.
 * Completing an upload and repairing a loss are this same thing. Holds two stripes at the most. What was written must
 * be dropped unless it resolves.
 *
 * @returns the digest of the piece, whose root is the recorded one
 * @throws TooFewPiecesError, PieceUnrepairableError, what `write` throws, the reason of an abort
 */
export async function rebuildPiece(options: RebuildOptions): Promise<PieceDigest> {
  const { placement, index, write } = options
  const recorded = placement.pieces[index]
  assert(recorded, `there is no piece ${index} among ${placement.pieces.length}`)
  const geometry = geometryOf(placement)
  const ended = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, ended.signal]) : ended.signal
  const reader = createStripeReader({ ...options, geometry, signal })
  const hasher = createPieceHasher()
  try {
    let next = reader.read(0)
    for (let stripe = 0; stripe < geometry.stripes; stripe++) {
      const present = await next
      if (stripe + 1 < geometry.stripes) {
        next = reader.read(stripe + 1)
        next.catch(() => undefined) // awaited in the next turn, unless this one fails first
      }
      const strip = rebuildStrip({ geometry, stripe, present }, index)
      hasher.update(strip)
      await write(strip)
      signal.throwIfAborted()
    }
  } finally {
    ended.abort()
  }
  const digest = hasher.finish()
  if (!equalBytes(digest.root, recorded.root)) throw new PieceUnrepairableError(placement, index, digest.root)
  return digest
}

/** Reads k strips of a stripe at a time, from the pieces that served best so far. */
function createStripeReader(
  options: Pick<RebuildOptions, 'placement' | 'index' | 'readStrip'> & {
    readonly geometry: PartGeometry
    readonly signal: AbortSignal
  },
): { read(stripe: number): Promise<Map<number, Uint8Array>> } {
  const { placement, index, readStrip, geometry, signal } = options
  let sources = placement.pieces.map((_, piece) => piece).filter((piece) => piece !== index)

  return {
    async read(stripe) {
      signal.throwIfAborted()
      const present = new Map<number, Uint8Array>()
      const causes: unknown[] = []
      const failed = new Set<number>()
      const untried = [...sources]
      const readOne = async (piece: number) => {
        const strip = await readStrip(piece, stripe, signal).catch((cause: unknown) => {
          if (signal.aborted || !(cause instanceof MemoError)) throw cause
          causes.push(cause)
          return undefined
        })
        if (strip?.length === stripBytesOf(geometry, stripe)) present.set(piece, strip)
        else failed.add(piece)
      }
      while (present.size < geometry.dataShards && untried.length > 0) {
        await Promise.all(untried.splice(0, geometry.dataShards - present.size).map(readOne))
        signal.throwIfAborted()
      }
      sources = [...sources.filter((piece) => !failed.has(piece)), ...failed] // who failed is asked last from now on
      if (present.size < geometry.dataShards) throw new TooFewPiecesError(placement, stripe, present.size, causes)
      return present
    },
  }
}
