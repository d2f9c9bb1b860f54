import { randomBytes } from 'node:crypto'
import { connectNetwork, createCheckpointChain, type MemoChain } from '@memo/chain'
import { type Address, createKeySigner, MemoError, type Signer } from '@memo/core'
import {
  createHttpTransport,
  createStripePool,
  createSystemClock,
  createSystemRandomness,
  createSystemTimers,
} from '@memo/platform'
import { createStorage, type OrderEvent, type PieceTally, type ReaderKeys, type Storage } from '@memo/sdk'
import type { Context } from '../program.ts'
import { type CommonOptions, dataDirOf, findProfile, type NetworkOptions, networkOf } from '../settings.ts'
import { type Identity, openIdentity } from './identity.ts'
import { openUserOrders, type Paying } from './open-orders.ts'

export type UserOptions = CommonOptions & NetworkOptions & { readonly passwordFile?: string }

/** Who pays for what a storage does, and what he is told of. */
type PaidOptions = {
  readonly dataDir: string
  readonly paying: Paying
  readonly onEvent: (event: OrderEvent) => void
  /** Told of what is paid for though perhaps nothing needs it. */
  readonly onKept: (kept: PieceTally) => void
  readonly signal: AbortSignal
}

const DAY_SECONDS = 86_400

/** What a user's verb works with. */
export type Session = {
  readonly identity: Identity
  readonly storage: Storage
  readonly reader: ReaderKeys
}

/** Opens the identity of the data directory and a storage for it, and closes them after `use`. */
export async function withSession<T>(
  { runtime, output }: Context,
  options: UserOptions & { readonly paying?: Paying },
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const dataDir = dataDirOf(options)
  const { signal } = runtime
  const identity = await openIdentity({ ...options, ...networkOf(options, findProfile(dataDir)), dataDir, signal })
  const onEvent = (event: OrderEvent) => {
    const text = warningOf(event)
    if (text) output.progress(text, { event: event.type, ...event })
  }
  const onKept = ({ pieces, bytes }: PieceTally) => {
    const text = `${pieces} pieces of ${bytes} bytes are kept and paid for, though perhaps no object needs them`
    output.progress(text, { event: 'orphans-kept', pieces, bytes })
  }
  const paid = { dataDir, signal, onEvent, onKept, paying: options.paying ?? 'no' }
  return await withStorage(
    identity.chain,
    identity.signer,
    identity.secretKey,
    async (storage, reader) => await use({ identity, storage, reader }),
    paid,
  )
}

/** What the user should know of his orders; undefined where all is well. */
function warningOf(event: OrderEvent): string | undefined {
  if (event.type === 'escrow-low') return 'the escrow is too small to renew your orders: memo escrow deposit AMOUNT'
  if (event.type === 'order-lapsed') {
    return `what ${event.provider} stores for you is not paid for any more and kept for days only: memo escrow deposit AMOUNT`
  }
  if (event.type !== 'order-ending') return undefined
  const days = Math.ceil(event.secondsLeft / DAY_SECONDS)
  return `what ${event.provider} stores for you is paid for ${days} more day${days === 1 ? '' : 's'} only`
}

/** A storage that anybody may open: it finds and reads what is public. */
export async function withAnonymous<T>(
  network: { readonly rpcUrl: string; readonly registry: Address },
  use: (storage: Storage, chain: MemoChain) => Promise<T>,
): Promise<T> {
  const chain = await connectNetwork(network)
  const secretKey = new Uint8Array(randomBytes(32))
  return await withStorage(chain, createKeySigner(secretKey), secretKey, async (storage) => await use(storage, chain))
}

/** A storage over sockets, closed after `use`. */
export async function withStorage<T>(
  chain: MemoChain,
  signer: Signer,
  secretKey: Uint8Array,
  use: (storage: Storage, reader: ReaderKeys) => Promise<T>,
  paid?: PaidOptions,
): Promise<T> {
  const { transport, close } = createHttpTransport()
  const pool = createStripePool()
  const reader = { publicKey: signer.publicKey, secretKey }
  const ports = {
    network: chain.network,
    transport,
    signer,
    hashUnits: (data: Uint8Array) => pool.hashUnits(data),
    clock: createSystemClock(),
    timers: createSystemTimers(),
    random: createSystemRandomness(),
  }
  const undo: (() => Promise<void>)[] = [close, async () => await pool.close()]
  try {
    const book = paid && (await openUserOrders(paid.paying, { ...paid, chain, ports }))
    if (book) undo.push(book.close)
    const storage = createStorage({
      chain,
      reader,
      encode: (stripe) => pool.encode(stripe),
      openChunks: (chunks) => pool.openChunks(chunks),
      ports,
      orders: book?.orders,
      // Where a verb appends to a log: what it signed survives it, so that the next one never signs the same number again.
      store: book?.store,
      checkpoints: createCheckpointChain(chain),
    })
    if (paid && book) {
      const sweeping = sweepUp(storage, paid)
      undo.push(async () => await sweeping)
    }
    undo.push(async () => await storage.close())
    return await use(storage, reader)
  } finally {
    for (const step of undo.reverse()) await step()
  }
}

/** Gives up what verbs that were cut off have left under orders, beside this one; what it does not come to, the next one does. */
async function sweepUp(storage: Storage, { onKept, signal }: PaidOptions): Promise<void> {
  try {
    const { kept } = await storage.sweep({ signal })
    if (kept.pieces > 0) onKept(kept)
  } catch (thrown) {
    if (!(thrown instanceof MemoError) && !signal.aborted) throw thrown
  }
}
