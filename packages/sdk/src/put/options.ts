import type { Address, CidProfileName, IndexAck, LoginEvidence, Manifest } from '@memo/core'

/** How an object is put. */
export type PutOptions = {
  /** The DID that the object belongs to. */
  readonly did: string
  readonly name: string
  readonly contentType: string
  /** Public objects are stored in clear and are found by their CID; private ones are sealed. */
  readonly isPublic: boolean
  /** Redundancy, `rs:k+m`; `rs:4+2` where nothing is said. */
  readonly policy?: string | undefined
  readonly cidProfile?: CidProfileName | undefined
  /** Public keys (33 or 65 bytes) that may open the manifest of a private object. */
  readonly readers: readonly Uint8Array[]
  /** The DID's login, where the signer is no key of the DID: it stands in the log's first entry. */
  readonly evidence?: LoginEvidence | undefined
  readonly metadata?: Readonly<Record<string, string>> | undefined
  readonly signal?: AbortSignal | undefined
  readonly onStage?: ((event: StageEvent) => void) | undefined
  /** Called when the CID is known and before anything can be seen; what it throws ends the put. */
  readonly beforeCommit?:
    | ((info: { readonly cid: string; readonly sizeBytes: number }) => Promise<void> | void)
    | undefined
}

/** How far a put is. Counts only grow. */
export type StageEvent =
  | { readonly stage: 'received'; readonly sizeBytes: number }
  | { readonly stage: 'encoded'; readonly sizeBytes: number }
  /** Pieces that have a receipt, of those begun so far; `readableFrom` is k. */
  | { readonly stage: 'stored'; readonly pieces: number; readonly wanted: number; readonly readableFrom: number }
  | { readonly stage: 'durable'; readonly cid: string; readonly acks: number }

/** A durable object. */
export type PutResult = {
  readonly cid: string
  readonly sizeBytes: number
  readonly did: string
  /** The account whose log names the object, and the number of its entry there. */
  readonly writer: Address
  readonly seq: number
  readonly entryHash: Uint8Array
  readonly manifest: Manifest
  readonly partIds: readonly Uint8Array[]
  /** Orders that its pieces lie under; empty where nobody pays, absent when the object was there before. */
  readonly orderIds?: readonly number[] | undefined
  /** Every provider that holds a piece, once. */
  readonly providers: readonly Address[]
  /** Acknowledgements of the entry; none when the object was there before. */
  readonly acks: readonly IndexAck[]
  /** The writer had this object already: nothing new was kept. */
  readonly deduplicated: boolean
}
