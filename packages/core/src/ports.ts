import type { MoneyContracts } from './billing/index.ts'
import type { Address, ByteStream } from './bytes/index.ts'
import type { Network } from './keys/index.ts'

/**
 * What touches the world: the small interfaces that everything above `core` is built on, so that a whole network
 * runs in one process from one seed (`spec/ports.md`). Every implementation passes the suites in `core/testing`.
 */

/** Time of day. */
export type Clock = {
  /** Milliseconds since 1970; may jump either way. */
  nowMs(): number
}

/** Waiting. */
export type Timers = {
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** Unpredictable bytes (in simulation: reproducible ones). */
export type Randomness = {
  bytes(length: number): Uint8Array
}

/** A request, seen alike by the one who sends and the one who answers. */
export type WireRequest = {
  readonly method: string
  /** Absolute where it is sent; path and query where it is answered. */
  readonly url: string
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | ByteStream | undefined
  readonly signal?: AbortSignal | undefined
  /** Gives memory of exactly so many bytes for the body of the answer; a transport that cannot use it need not ask. */
  readonly memory?: ((bytes: number) => Uint8Array) | undefined
}

export type WireResponse = {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  /** Must be read to its end or cancelled (`return()` of its iterator). */
  readonly body: ByteStream
  /** May be told of a block of the body that was sent and that nobody uses any more, once: its memory serves others. */
  readonly giveBack?: ((block: Uint8Array) => void) | undefined
}

/** Sends a request to a node. Rejects with a MemoError blamed on the other side when it cannot be reached. */
export type Transport = (request: WireRequest) => Promise<WireResponse>

/** Answers a request; never rejects for the requester's faults. */
export type Handler = (request: WireRequest) => Promise<WireResponse>

/** Facts about one stored piece. */
export type PieceInfo = {
  /** 64 hex digits. */
  readonly root: string
  readonly sizeBytes: number
}

/** A stream whose blocks may be given back, each once, when nobody uses them any more: others are then read into them. */
export type LentStream = ByteStream & { readonly giveBack?: ((block: Uint8Array) => void) | undefined }

/** A piece being written. Exactly one of `commit` and `abort` ends it. */
export type PieceWriter = {
  /** Appends; resolves when the store took the bytes, which the caller may then reuse. */
  write(bytes: Uint8Array): Promise<void>
  /**
   * Makes the piece visible under `root`, with its unit nodes. When it resolves, the bytes survive a crash. The
   * caller has checked the root. A piece that exists already is kept and the new copy dropped.
   */
  commit(root: string, units: Uint8Array): Promise<void>
  /** Drops what was written; never fails for what is gone already. */
  abort(): Promise<void>
}

/** Durable pieces by root. Half-written pieces are invisible and gone after `recover`. */
export type PieceStore = {
  create(): Promise<PieceWriter>
  find(root: string): Promise<PieceInfo | undefined>
  /** Bytes `[offset, offset + length)`; undefined when there is no such piece. Rejects on a read fault. */
  read(root: string, offset: number, length: number): Promise<LentStream | undefined>
  /** All unit nodes, or undefined when there is no such piece. */
  readUnits(root: string): Promise<Uint8Array | undefined>
  /** True when there was one. Durable when it resolves. */
  delete(root: string): Promise<boolean>
  list(): AsyncIterable<PieceInfo>
  /** Removes what a crash left half-written; returns how much that was. */
  recover(): Promise<{ readonly removed: number }>
  freeBytes(): Promise<number>
}

/** One change of an {@link IndexStore}; `value` absent deletes. */
export type IndexChange = { readonly key: string; readonly value?: Uint8Array }

/** Durable ordered records by key (UTF-16 code unit order over ASCII keys). */
export type IndexStore = {
  get(key: string): Promise<Uint8Array | undefined>
  /** All or nothing, and durable when it resolves. */
  apply(changes: readonly IndexChange[]): Promise<void>
  /** Records with `after < key` that start with `prefix`, in key order, `limit` at the most. */
  list(options: {
    readonly prefix: string
    readonly after?: string
    readonly limit: number
  }): Promise<readonly { readonly key: string; readonly value: Uint8Array }[]>
  close(): Promise<void>
}

export type Role = 'none' | 'user' | 'provider' | 'keeper'
export type AccountState = 'registered' | 'active' | 'suspended' | 'exiting' | 'exited' | 'banned'

/** An account as the role contract records it. */
export type Account = {
  readonly address: Address
  readonly index: number
  readonly role: Role
  readonly state: AccountState
  readonly group: number
  /** Base URL of the node, without a slash at its end; empty for most users. */
  readonly endpoint: string
  readonly operator: string
  readonly region: string
  readonly capacityBytes: number
  readonly storagePriceAttoPerGiBSecond: bigint
  readonly retrievalPriceAttoPerByte: bigint
}

/** A key of a DID that may act for it. */
export type DidKey = {
  /** `masterKey` or `key-<n>`. */
  readonly id: string
  readonly type: string
  /** Compressed public key, 33 bytes; undefined where the document holds only an address. */
  readonly publicKey?: Uint8Array
  readonly address: Address
}

/** What the chain says of a DID. */
export type DidRecord = {
  readonly did: string
  readonly deactivated: boolean
  readonly masterAddress: Address
  /** Keys that may authenticate: active, and in the authentication relation. */
  readonly authenticationKeys: readonly DidKey[]
}

/** One stretch of an order with one price. */
export type OrderSegment = {
  readonly from: bigint
  readonly sizeBytes: bigint
  readonly priceAttoPerGiBSecond: bigint
  readonly incomePerEpochAtto: bigint
  /** With fees. */
  readonly costPerEpochAtto: bigint
}

/** An order as the chain has it; epochs before `settledTo` are paid out (`spec/orders.md` 7 to 12). */
export type OrderInfo = {
  readonly user: Address
  readonly provider: Address
  readonly group: number
  readonly start: bigint
  /** The first epoch that it does not cover. */
  readonly end: bigint
  /** What the next amendment signs. */
  readonly seq: bigint
  readonly lockedAtto: bigint
  readonly settledTo: bigint
  readonly liableBytes: bigint
  /** Those that are not settled to their end; the last has the order's size and price. */
  readonly segments: readonly OrderSegment[]
}

/** Where the chain is in epochs, and how long they are (`spec/orders.md` 4). */
export type EpochInfo = {
  readonly current: bigint
  /** Epochs before this one are beyond dispute. */
  readonly closedBefore: bigint
  readonly epochBlocks: bigint
  readonly epochSeconds: bigint
}

/** What a payer has locked for reading under an order. `closingBlock` is 0n unless it is being closed. */
export type ReadAllowanceInfo = {
  readonly priceAttoPerByte: bigint
  readonly bytesAllowed: bigint
  readonly bytesPaid: bigint
  /** What vouchers must name. */
  readonly seq: bigint
  readonly closingAt: bigint
  readonly closingBlock: bigint
}

/** What the engine reads from the chain. Implementations may cache for seconds, never beyond. */
export type Chain = {
  readonly network: Network
  findAccount(address: Address): Promise<Account | undefined>
  listProviders(): Promise<readonly Account[]>
  listKeepers(): Promise<readonly Account[]>
  findDid(did: string): Promise<DidRecord | undefined>
  getBlock(): Promise<{ readonly number: number; readonly timestamp: number }>
  /** Where signed money counts. */
  readonly money: MoneyContracts
  findOrder(orderId: bigint): Promise<OrderInfo | undefined>
  getEpochs(): Promise<EpochInfo>
  /** All zeros where there is none. */
  getReadAllowance(orderId: bigint, payer: Address): Promise<ReadAllowanceInfo>
  /** What a provider is liable for over all orders (`spec/orders.md` 12). */
  getLiableBytes(provider: Address): Promise<bigint>
}

/** Secret keys at rest, encrypted. */
export type KeyStore = {
  /** The 32-byte secret key named so. Rejects when there is none or the password is wrong. */
  load(name: string): Promise<Uint8Array>
  /** Rejects when the name is taken. */
  save(name: string, secretKey: Uint8Array): Promise<void>
  list(): Promise<readonly string[]>
}
