import {
  type Address,
  BadInputError,
  type ByteSource,
  type ByteStream,
  type Chain,
  createTurns,
  encodeStripe,
  type IndexStore,
  type Manifest,
  openChunks,
  STRIP_BYTES,
} from '@memo/core'
import type { CheckpointChain } from './checkpoint/chain.ts'
import { assertNotReserved } from './checkpoint/mark.ts'
import {
  type CheckpointOptions,
  type CheckpointResult,
  findUncovered,
  type UncoveredChanges,
  writeCheckpoint,
} from './checkpoint/write.ts'
import type { ChunkOpener, ReaderKeys, StorageContext, StoragePorts, StripeEncoder } from './context.ts'
import { type NodeFault, StorageClosedError } from './errors.ts'
import type { StorageMemory } from './flow/memory.ts'
import { createRecycler } from './flow/recycler.ts'
import { createLures } from './index/lures.ts'
import { findObject, type ListOptions, listObjects, type StoredObject } from './index/objects.ts'
import { createOwnLogs } from './index/own-log.ts'
import { findPublicObject } from './index/public-objects.ts'
import { type Removal, removeObject } from './index/remove.ts'
import { createSignedHeads } from './index/signed-heads.ts'
import { DEFAULT_LIMITS, type StorageLimits } from './limits.ts'
import { createDirectory } from './nodes/directory.ts'
import { createSuspects } from './nodes/suspects.ts'
import type { OrderBook } from './orders/order-book.ts'
import { createLoosePieces } from './put/loose-pieces.ts'
import type { PutOptions, PutResult } from './put/options.ts'
import { createPacker } from './put/packer.ts'
import { createPieceUse } from './put/piece-use.ts'
import { runPut } from './put/put.ts'
import { type SweepOptions, type SweepResult, sweepLoose } from './put/sweep.ts'
import { expiryOf, type ObjectExpiry } from './read/expiry.ts'
import { createPartLocator } from './read/locate.ts'
import { type ReadOptions, readObject } from './read/read.ts'
import { type RestoredObject, type RestoreOptions, restoreObjects } from './read/restore.ts'
import { type PieceStatus, statusOf } from './read/status.ts'

/** Memory of stripes that is kept for the next ones, where no budget says how much there is: four stripes of 4+2. */
const KEPT_BYTES = 41_943_040
/** Memory of strips that is kept for the next reads: two stripes of 4+2 on their way, and two on their way out. */
const KEPT_STRIPS_BYTES: number = 16 * STRIP_BYTES

export type StorageOptions = {
  readonly ports: StoragePorts
  readonly chain: Chain
  /** Where stripes are sealed, coded and hashed; in this thread where nothing is said. */
  readonly encode?: StripeEncoder | undefined
  /** Where what was read is opened; in this thread where nothing is said. `ports.hashUnits` says where it is checked. */
  readonly openChunks?: ChunkOpener | undefined
  /** What all streams of this process may hold together; streams wait for it. Only bounded for each where absent. */
  readonly memory?: StorageMemory | undefined
  readonly limits?: Partial<StorageLimits> | undefined
  /** Key pair that opens the manifests that this account seals for itself: finds objects that are there already. */
  readonly reader?: ReaderKeys | undefined
  /**
   * Keeps what was signed before it is handed to anybody, so that a process that is killed never signs two entries under one
   * number. Opened and closed by the caller, used by one storage at a time; keys begin with `log/`. Without it a put that
   * was cut off by the end of the process, and is begun again while the keepers that saw it are away, forks the log. Where
   * there are orders it also keeps what nobody names yet (keys beginning with `loose/`).
   */
  readonly store?: IndexStore | undefined
  /** Pays for what is stored and read (`createOrders`); opened and closed by the caller. Unpaid where absent. */
  readonly orders?: OrderBook | undefined
  /** What the chain remembers of logs: for writing checkpoints, and for restoring from them. */
  readonly checkpoints?: CheckpointChain | undefined
  /** Told of every node that failed, also where somebody else stood in for it. */
  readonly onFault?: ((fault: NodeFault) => void) | undefined
}

type CallOptions = { readonly signal?: AbortSignal | undefined }

/** What an application calls (`spec/sdk.md`). */
export type Storage = {
  /** Stores a source; resolves when it is durable. */
  put(source: ByteSource, options: PutOptions): Promise<PutResult>
  /** Live objects of a DID, oldest first. */
  list(did: string, options?: ListOptions): AsyncIterable<StoredObject>
  /** The newest live object of a DID with this CID that `reader` can open. */
  findObject(did: string, cid: string, reader?: ReaderKeys, options?: CallOptions): Promise<StoredObject | undefined>
  /**
   * The live public object with this CID, of any DID, that keepers have had for longest. Where reading it ends with
   * CidMismatchError it was a lure: asking again gives the next.
   */
  findPublicObject(cid: string, options?: CallOptions): Promise<StoredObject | undefined>
  /** The bytes of an object, or a stretch of them, checked. */
  read(manifest: Manifest, options?: ReadOptions): ByteStream
  /**
   * Gives back a block of a {@link Storage.read} that nobody uses any more, once: its memory serves the next reads, and a long
   * read then leaves nothing to be collected. Blocks need not be given back.
   */
  giveBack(block: Uint8Array): void
  /** Who holds which piece of an object, and whether it is there. */
  status(
    manifest: Manifest,
    options?: CallOptions & { readonly owner?: string | undefined },
  ): Promise<readonly PieceStatus[]>
  /** Until when an object is paid for, by the word of the chain; undefined where it has no pieces. */
  findExpiry(
    manifest: Manifest,
    options?: CallOptions & { readonly owner?: string | undefined },
  ): Promise<ObjectExpiry | undefined>
  /** Deletes an object from the index, then its pieces as well as that goes. */
  remove(
    did: string,
    object: { readonly writer: Address; readonly seq: number },
    options?: CallOptions,
  ): Promise<Removal>
  /** All objects of a DID that `reader` can open, each with its bytes: from chain, keepers and providers, or without keepers. */
  restore(did: string, options: RestoreOptions): AsyncIterable<RestoredObject>
  /** Hands over what waits for keepers in this account's log of a DID. Rejects while too few of them take it. */
  settle(did: string, options?: CallOptions): Promise<void>
  /**
   * Brings the chain's memory of this account's log of a DID up to date (`spec/checkpoint.md` 7); undefined when it is.
   * Needs `checkpoints`.
   */
  writeCheckpoint(did: string, options?: CheckpointOptions): Promise<CheckpointResult | undefined>
  /** How much of this account's log of a DID the chain does not remember yet. Needs `checkpoints`. */
  findUncovered(did: string, options?: CallOptions): Promise<UncoveredChanges>
  /**
   * Gives up what puts that were cut off, and deletions, have left under orders (`spec/sdk.md` 20): one pass, to be made now and
   * then. Does nothing without `store` and `orders`. Rejects where nobody can be asked.
   */
  sweep(options?: SweepOptions): Promise<SweepResult>
  /** Ends what still goes on in the background; calls under way reject. */
  close(): Promise<void>
}

/**
 * The storage engine of an application: it puts, finds and reads objects over the ports it is given.
 *
 * @example
 * ```ts
 * const storage = createStorage({ ports, chain })
 * const { cid } = await storage.put(bytes, { did, name: 'a.txt', contentType: 'text/plain', isPublic: true, readers: [] })
 * const object = await storage.findPublicObject(cid)
 * for await (const block of storage.read(object.manifest)) consume(block)
 * await storage.close()
 * ```
 */
export function createStorage(options: StorageOptions): Storage {
  const closing = new AbortController()
  const clearingUp = new AbortController()
  const background = new Set<Promise<unknown>>()
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const context: StorageContext = {
    ports: options.ports,
    chain: options.chain,
    encode: options.encode ?? encodeStripe,
    openChunks: options.openChunks ?? openHere,
    memory: options.memory,
    recycler: createRecycler(options.memory?.put.totalBytes ?? KEPT_BYTES),
    // Whoever hashes elsewhere has said that what comes from the transport is nobody else's.
    strips: options.ports.hashUnits && createRecycler(KEPT_STRIPS_BYTES),
    limits,
    directory: createDirectory(options.ports, options.chain),
    suspects: createSuspects(options.ports.clock, limits.suspectMs),
    pieceUse: createPieceUse(),
    packer: createPacker(),
    lures: createLures(),
    orders: options.orders,
    signedHeads: createSignedHeads(options.ports.network, options.store),
    loose: createLoosePieces(options.ports.network, options.orders && options.store),
    reader: options.reader,
    onFault: options.onFault ?? (() => undefined),
    closed: closing.signal,
    clearedUp: clearingUp.signal,
    follow(work) {
      const forget = () => void background.delete(ended)
      const ended: Promise<void> = work.then(forget, forget) // whoever began the work has its error
      background.add(ended)
    },
  }
  const logs = createOwnLogs(context)
  const locator = createPartLocator(context)
  const writing = createTurns()
  return {
    async put(source, put) {
      assertNotReserved(put.metadata)
      const putting = runPut(context, logs, source, put)
      context.follow(putting)
      return await putting
    },
    list: (did, list) => listObjects(context, did, list),
    findObject: async (did, cid, reader, call) => await findObject(context, did, cid, { reader, ...call }),
    findPublicObject: async (cid, call) => await findPublicObject(context, cid, call?.signal),
    read: (manifest, read) => readObject(context, locator, manifest, read),
    giveBack({ buffer }) {
      if (buffer.byteLength === STRIP_BYTES) context.strips?.give(new Uint8Array(buffer))
    },
    status: async (manifest, call) => await statusOf(context, locator, manifest, call ?? {}),
    findExpiry: async (manifest, call) => await expiryOf(context, locator, manifest, call ?? {}),
    remove: async (did, object, call) => await removeObject(context, logs, did, object, call?.signal),
    restore: (did, restore) => restoreObjects(context, locator, options.checkpoints, did, restore),
    async settle(did, call) {
      await logs.settle(did, call?.signal ? AbortSignal.any([closing.signal, call.signal]) : closing.signal)
    },
    async writeCheckpoint(did, checkpoint) {
      const { checkpoints } = options
      if (!checkpoints) throw new BadInputError('a checkpoint is asked for where nothing writes it to the chain')
      return await writing(did, async () => await writeCheckpoint(context, logs, checkpoints, did, checkpoint ?? {}))
    },
    async findUncovered(did, call) {
      const { checkpoints } = options
      if (!checkpoints) throw new BadInputError('checkpoints are asked for where nothing reads them from the chain')
      return await findUncovered(context, logs, checkpoints, did, call ?? {})
    },
    async sweep(sweep) {
      const sweeping = sweepLoose(context, logs, sweep)
      context.follow(sweeping)
      return await sweeping
    },
    async close() {
      closing.abort(new StorageClosedError())
      const timeout = new AbortController()
      const late = options.ports.timers.sleep(CLEAR_UP_MS, timeout.signal).catch(() => undefined) // all was done before
      await Promise.race([Promise.allSettled(background), late])
      timeout.abort()
      clearingUp.abort(closing.signal.reason)
      await Promise.allSettled(background)
      await logs.close()
    },
  }
}

/** How long a storage that closes gives up what nobody needs: under an order it would be paid for until that ends. */
const CLEAR_UP_MS = 5_000

const openHere: ChunkOpener = async ({ contentKey, firstChunk, sealed, endsObject }) =>
  openChunks(contentKey, firstChunk, sealed, endsObject)
