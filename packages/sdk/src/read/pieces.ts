import {
  type Address,
  geometryOf,
  hexFromBytes,
  MemoError,
  STRIP_BYTES,
  UNIT_BYTES,
  unitRangeOf,
  unitsLengthOf,
} from '@memo/core'
import type { StorageContext } from '../context.ts'
import { nodeFault } from '../errors.ts'
import type { ReadAccount } from '../orders/reads.ts'
import type { LocatedPart, PartLocator } from './locate.ts'
import { paidRead } from './paid-read.ts'

/** Why a piece could not be read. */
export type PieceFault = { readonly index: number; readonly provider: string; readonly reason: string }

/** The pieces of one part, as one call reads them: with their unit nodes, and with what failed so far. */
export type PieceReaders = {
  readonly part: LocatedPart
  /** Bytes `[from, to)` of strip `stripe` of piece `index`, checked against its root. Errors: any MemoError. */
  readStrip(index: number, stripe: number, from: number, to: number, signal: AbortSignal): Promise<Uint8Array>
  /** Pieces in the order in which they are best asked: 0 is the best rank, undefined that nobody holds it. */
  rankOf(index: number): number | undefined
  markSlow(index: number): void
  /** The last fault of each piece that has one. */
  faults(): PieceFault[]
  /** Asks all keepers who else holds pieces. False when that was done already. */
  widen(signal: AbortSignal): Promise<boolean>
}

/** A strip that was late is asked for last among those that work; one that failed after those. */
const SLOW_RANK = 1
const SUSPECT_RANK = 2
const FAILED_RANK = 4

export function createPieceReaders(
  context: StorageContext,
  locator: PartLocator,
  located: LocatedPart,
  account?: ReadAccount | undefined,
): PieceReaders {
  const { directory, suspects, limits, onFault, strips } = context
  const memory = strips && ((bytes: number) => strips.take(bytes))
  const { placement } = located
  const sizeBytes = geometryOf(placement).pieceBytes
  const units = new Map<string, Uint8Array>()
  const failures = new Map<string, number>()
  const slow = new Set<number>()
  const faults = new Map<number, PieceFault>()
  let part = located

  const failuresOf = (index: number, provider: Address) => failures.get(`${index}:${provider}`) ?? 0
  const holderOf = (index: number): Address | undefined => {
    const holders = part.holders[index] ?? []
    return [...holders].sort((a, b) => failuresOf(index, a) - failuresOf(index, b))[0]
  }
  /** The order that the piece is held under; 0 where another provider holds it than was placed. */
  const orderOf = (index: number, provider: Address) => {
    const placed = placement.pieces[index]
    return placed?.provider === provider ? placed.orderId : 0
  }
  const unitsOf = async (index: number, provider: Address, signal: AbortSignal) => {
    if (sizeBytes <= UNIT_BYTES) return undefined // it is read whole, and its bytes give its root
    const key = `${index}:${provider}`
    const known = units.get(key)
    if (known) return known
    const client = await directory.getProvider(provider)
    const { root } = placement.pieces[index]!
    const piece = { root, sizeBytes, orderId: orderOf(index, provider) }
    const read = await paidRead(account, client, piece, signal).run(
      unitsLengthOf(sizeBytes),
      async (voucher) => await client.readUnits(root, sizeBytes, { signal, voucher }),
    )
    units.set(key, read)
    return read
  }

  return {
    get part() {
      return part
    },
    async readStrip(index, stripe, from, to, signal) {
      const provider = holderOf(index)
      const { root } = placement.pieces[index]!
      if (provider === undefined) throw new PieceUnplacedError(index)
      try {
        const client = await directory.getProvider(provider)
        const piece = { root, sizeBytes, units: await unitsOf(index, provider, signal) }
        const range = { offset: stripe * STRIP_BYTES + from, length: to - from }
        const { length } = unitRangeOf(sizeBytes, range.offset, range.length)
        const paid = { root, sizeBytes, orderId: orderOf(index, provider) }
        return await paidRead(account, client, paid, signal).run(length, async (voucher) => {
          return await client.read(piece, range, { signal, timeoutMs: limits.stripTimeoutMs, voucher, memory })
        })
      } catch (thrown) {
        if (signal.aborted || !(thrown instanceof MemoError)) throw thrown
        failures.set(`${index}:${provider}`, failuresOf(index, provider) + 1)
        faults.set(index, { index, provider, reason: `${thrown.name}: ${thrown.message}` })
        suspects.add(provider)
        onFault(nodeFault('provider', provider, thrown))
        throw thrown
      }
    },
    rankOf(index) {
      const provider = holderOf(index)
      if (provider === undefined) return undefined
      const failed = Math.min(failuresOf(index, provider), 2) * FAILED_RANK
      return failed + (suspects.has(provider) ? SUSPECT_RANK : 0) + (slow.has(index) ? SLOW_RANK : 0)
    },
    markSlow: (index) => void slow.add(index),
    faults() {
      const unplaced = placement.pieces.flatMap(({ root }, index) => {
        const isHeld = (part.holders[index] ?? []).length > 0
        return isHeld ? [] : [{ index, provider: 'nobody', reason: `${hexFromBytes(root)} is not placed` }]
      })
      return [...faults.values(), ...unplaced].sort((a, b) => a.index - b.index)
    },
    async widen(signal) {
      if (part.isWide) return false
      part = await locator.widen(part, signal)
      return true
    },
  }
}

/** A piece that no provider is said to hold. */
class PieceUnplacedError extends MemoError {
  override readonly name: string = 'PieceUnplacedError'
  constructor(index: number) {
    super(`nobody holds piece ${index}`, { blame: 'provider', retry: 'later', details: { index } })
  }
}
