import type { Chain, ClientPorts, EncodedStripe, Signer, StripeInput } from '@memo/core'
import type { NodeFault } from './errors.ts'
import type { StorageMemory } from './flow/memory.ts'
import type { Recycler } from './flow/recycler.ts'
import type { Lures } from './index/lures.ts'
import type { SignedHeads } from './index/signed-heads.ts'
import type { StorageLimits } from './limits.ts'
import type { Directory } from './nodes/directory.ts'
import type { Suspects } from './nodes/suspects.ts'
import type { OrderBook } from './orders/order-book.ts'
import type { LoosePieces } from './put/loose-pieces.ts'
import type { Packer } from './put/packer.ts'
import type { PieceUse } from './put/piece-use.ts'

/** A stripe as an encoder returns it; one that took the memory of the plaintext elsewhere gives it back. */
export type StripeOutput = EncodedStripe & { readonly plaintext?: Uint8Array }

/** Seals, codes and hashes one stripe, here or in another thread. */
export type StripeEncoder = (stripe: StripeInput) => StripeOutput | Promise<StripeOutput>

/** Opens sealed chunks, here or in another thread; the memory of `sealed` may be moved there. */
export type ChunkOpener = (chunks: {
  readonly contentKey: Uint8Array
  readonly firstChunk: number
  readonly sealed: Uint8Array
  readonly endsObject: boolean
}) => Promise<Uint8Array>

/** The key pair that opens manifests. */
export type ReaderKeys = { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array }

/** The ports of a {@link Storage}: those of a client that may sign. */
export type StoragePorts = ClientPorts & { readonly signer: Signer }

/** What all parts of one {@link Storage} share. */
export type StorageContext = {
  readonly ports: StoragePorts
  readonly chain: Chain
  readonly encode: StripeEncoder
  readonly openChunks: ChunkOpener
  /** What all streams of this process may hold together; only bounded for each of them where nothing is said. */
  readonly memory: StorageMemory | undefined
  readonly recycler: Recycler
  /** Memory of strips that were read and given back; absent where what was read may be somebody else's memory as well. */
  readonly strips: Recycler | undefined
  readonly limits: StorageLimits
  readonly directory: Directory
  readonly suspects: Suspects
  readonly pieceUse: PieceUse
  /** Where small objects find a part that they share. */
  readonly packer: Packer
  readonly lures: Lures
  /** Who pays; nobody where absent: pieces are then stored under order 0. */
  readonly orders: OrderBook | undefined
  readonly signedHeads: SignedHeads
  /** What this account has stored under orders and no entry names. */
  readonly loose: LoosePieces
  /** Opens the manifests of this account's own entries. */
  readonly reader: ReaderKeys | undefined
  readonly onFault: (fault: NodeFault) => void
  /** Keeps an eye on work that outlives its call, so that `close` can wait for it. */
  readonly follow: (work: Promise<unknown>) => void
  /** Aborted when the storage is closed. */
  readonly closed: AbortSignal
  /** Aborted a moment later: until then, what puts that were cut off had stored is given up. */
  readonly clearedUp: AbortSignal
}
