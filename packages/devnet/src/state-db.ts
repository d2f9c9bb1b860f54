import type { BatchDBOp, DB } from '@ethereumjs/util'
import { LruMap } from './lru.ts'
import type { Store } from './store.ts'

/** Trie nodes and code that stay in memory; a node is 100–500 bytes. */
const CACHED_NODES = 50_000

/**
 * What the state trie stands on. Keys are hashes of their values, so nothing is ever overwritten or deleted: every
 * past state stays readable, and what a block under construction adds is kept apart until the block is stored.
 */
export class StateDb implements DB<string, string | Uint8Array> {
  readonly #store: Store
  readonly #cache: LruMap<string, Uint8Array> = new LruMap(CACHED_NODES)
  #added: Map<string, Uint8Array> = new Map()

  constructor(store: Store) {
    this.#store = store
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.getSync(key))
  }

  getSync(key: string): Uint8Array | undefined {
    const known = this.#added.get(key) ?? this.#cache.get(key)
    if (known !== undefined) return known
    const stored = this.#store.getNode(key)
    if (stored !== undefined) this.#cache.set(key, stored)
    return stored
  }

  put(key: string, value: string | Uint8Array): Promise<void> {
    this.#added.set(key, value as Uint8Array)
    return Promise.resolve()
  }

  /** The trie runs without pruning, so a deletion can only be of a node that another state may still need. */
  del(): Promise<void> {
    return Promise.resolve()
  }

  batch(ops: BatchDBOp<string, string | Uint8Array>[]): Promise<void> {
    for (const op of ops) if (op.type === 'put') this.#added.set(op.key, op.value as Uint8Array)
    return Promise.resolve()
  }

  /** What was added since the last {@link settle} or {@link discard}. */
  added(): ReadonlyMap<string, Uint8Array> {
    return this.#added
  }

  /** The added nodes are on disk now. */
  settle(kept: Iterable<readonly [string, Uint8Array]>): void {
    for (const [key, value] of kept) this.#cache.set(key, value)
    this.#added = new Map()
  }

  discard(): void {
    this.#added = new Map()
  }

  shallowCopy(): DB<string, string | Uint8Array> {
    return this
  }

  open(): Promise<void> {
    return Promise.resolve()
  }
}
