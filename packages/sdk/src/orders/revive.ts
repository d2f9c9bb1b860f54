import {
  type Address,
  BadAnswerError,
  createSetTree,
  hex32,
  type ProviderClient,
  type Randomness,
  type Receipt,
  RemoteError,
  type SetPiece,
} from '@memo/core'
import type { BarePieces } from './bare.ts'
import type { OrderEvent } from './events.ts'
import type { OrderLease } from './order-book.ts'
import type { OrderSet } from './set.ts'
import type { OrderRecord, OrderStore } from './store.ts'

export type RevivalOptions = {
  readonly store: OrderStore
  readonly random: Randomness
  getProvider(address: Address): Promise<ProviderClient>
  openSet(orderId: bigint): Promise<OrderSet>
  /** Reads the provider's view of an order, where it is not known since a crash. */
  makeSure(record: OrderRecord): Promise<void>
  /** Room in the order that takes pieces now; opens one where there is none. */
  takeRoom(provider: Address, bytes: number): Promise<OrderLease>
  emit(event: OrderEvent): void
  readonly closed: AbortSignal
}

const UPLOAD_ID_BYTES = 32
/** Pieces that are asked for at once. */
const AT_ONCE = 8
/** What a provider says of a piece that it holds no more, or not whole. */
const LOST: readonly string[] = ['NotFoundError', 'PieceLostError', 'PieceCorruptError']

/**
 * Has all that an order holds which is over come under one that runs, without sending it again, as far as its provider keeps it
 * still (`spec/sdk.md` 21). Killed at any moment, it is done again. Resolves with the order that goes on, or nothing where nothing is
 * left. Errors: `EscrowTooSmallError`; those of the provider and of the chain.
 */
export async function reviveOrder(options: RevivalOptions, lapsed: OrderRecord): Promise<bigint | undefined> {
  const { store, openSet, makeSure, takeRoom, emit } = options
  const { orderId, provider } = lapsed
  const client = await options.getProvider(provider)
  // Whoever has let all of it go may have forgotten what it signed as well.
  const isKept = (await client.listOrderPieces(orderId, undefined, { signal: options.closed })).length > 0
  if (isKept) await makeSure(lapsed)
  const set = await openSet(orderId)
  const pieces = await listKept(options, client, set, orderId)
  const bytes = pieces.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const lostBytes = set.heldBytes() - bytes
  let next: bigint | undefined
  let missedBytes = 0
  if (bytes > 0) {
    const room = await takeRoom(provider, bytes) // one change of an order for all
    room.release()
    next = BigInt(room.orderId)
    const taken = await openSet(next)
    const waiting = pieces.filter(({ root }) => !taken.has(root))
    const run = async () => {
      for (let piece = waiting.pop(); piece; piece = waiting.pop()) {
        if (!(await takeOver(options, client, piece))) missedBytes += piece.sizeBytes
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, run))
    await store.putOrder({ ...lapsed, followedBy: next })
  }
  await store.resetCommit(orderId, undefined, [])
  set.reset(undefined, createSetTree(), [])
  const facts = { orderId: Number(orderId), provider, lostBytes: lostBytes + missedBytes }
  emit({ type: 'order-followed', ...facts, usedBytes: bytes - missedBytes, nextOrderId: Number(next ?? 0n) })
  return next
}

/**
 * Has pieces come under an order that the chain shows, whose own one it has forgotten (`spec/sdk.md` 21): without sending them
 * again. What its provider has lost is told. Killed at any moment, it is done again. Errors: as {@link reviveOrder}.
 */
export async function coverPieces(
  options: RevivalOptions & { readonly bare: BarePieces },
  provider: Address,
  pieces: readonly SetPiece[],
): Promise<void> {
  const client = await options.getProvider(provider)
  const bytes = pieces.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const room = await options.takeRoom(provider, bytes) // one change of an order for all
  room.release()
  const waiting = [...pieces]
  let lostBytes = 0
  const run = async () => {
    for (let piece = waiting.pop(); piece; piece = waiting.pop()) {
      if (!(await takeOver(options, client, piece))) lostBytes += piece.sizeBytes
      await options.bare.drop(provider, piece.root)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, run))
  const facts = { orderId: room.orderId, provider, usedBytes: bytes - lostBytes, lostBytes }
  options.emit({ type: 'pieces-covered', ...facts })
}

/** Pieces that we know of and that the provider still has: an order is not opened for what is gone. */
async function listKept(
  { closed }: RevivalOptions,
  client: ProviderClient,
  set: OrderSet,
  orderId: bigint,
): Promise<SetPiece[]> {
  const kept = new Map<string, SetPiece>()
  for (let after: Uint8Array | undefined; ; ) {
    const page = await client.listOrderPieces(orderId, after, { signal: closed })
    for (const { root, sizeBytes } of page) if (set.has(root)) kept.set(hex32(root), { root, sizeBytes })
    after = page.at(-1)?.root
    if (page.length === 0) return [...kept.values()]
  }
}

/** False where the provider has lost the piece. */
async function takeOver(
  { random, takeRoom, closed }: RevivalOptions,
  client: ProviderClient,
  piece: SetPiece,
): Promise<boolean> {
  const lease = await takeRoom(client.address, piece.sizeBytes)
  const { orderId } = lease
  try {
    const receipt: Receipt = await client.commit(
      random.bytes(UPLOAD_ID_BYTES),
      { ...piece, orderId },
      { signal: closed },
    )
    if (receipt.orderId !== orderId) {
      const details = { provider: client.address, orderId: receipt.orderId, expected: orderId }
      const message = `provider ${client.address} took a piece over into another order`
      throw new BadAnswerError(message, { blame: 'provider', retry: 'later', details })
    }
    lease.stored(receipt)
    return true
  } catch (thrown) {
    lease.release(thrown)
    if (!(thrown instanceof RemoteError) || !LOST.includes(thrown.name)) throw thrown
    return false
  }
}
