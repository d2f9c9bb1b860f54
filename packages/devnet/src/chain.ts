import type { Block } from '@ethereumjs/block'
import type { Common } from '@ethereumjs/common'
import type { EVMMockBlockchainInterface } from '@ethereumjs/evm'
import { createVM, type VM } from '@ethereumjs/vm'
import { type BuiltBlock, buildBlock } from './block-builder.ts'
import { type BlockTime, nextBlockTime, type TimeJournal } from './chain-time.ts'
import { ChainClosedError, ChainStoppedError } from './errors.ts'
import { createStateManager } from './genesis.ts'
import { bytesFromHex, type Hex, hexFromBytes } from './hex.ts'
import { selectLiveNodes } from './live-nodes.ts'
import { logKeys } from './log-index.ts'
import { LruMap } from './lru.ts'
import { Mempool } from './mempool.ts'
import { Candidates } from './ordering.ts'
import type { PoolTx } from './pool-tx.ts'
import { encodeReceipts } from './receipts.ts'
import type { StateDb } from './state-db.ts'
import { StateReader } from './state-reader.ts'
import type { Store, TxPlace } from './store.ts'
import { decodeStoredBlock, type StoredBlock, storedBlockFrom } from './stored-block.ts'

/** Decoded blocks that stay in memory. */
const CACHED_BLOCKS = 64

/** Where time comes from. */
export type Clock = { nowMs(): number }

/** What a chain is made of; `open-chain.ts` puts it together. */
export type ChainParts = {
  readonly store: Store
  readonly db: StateDb
  readonly common: Common
  readonly clock: Clock
  readonly head: StoredBlock
  readonly onStopped: (error: ChainStoppedError) => void
}

/**
 * The one chain of blocks: what is stored, what waits, and the only way to add a block. Every block is on disk before
 * anything of it can be read (`spec/devnet.md` 2).
 */
export class Chain {
  readonly common: Common
  readonly pool: Mempool = new Mempool()
  readonly state: StateReader
  readonly #parts: ChainParts
  readonly #blocks: LruMap<number, StoredBlock> = new LruMap(CACHED_BLOCKS)
  readonly #vm: VM
  #head: StoredBlock
  #time: TimeJournal
  #stopped: ChainStoppedError | ChainClosedError | undefined
  #writing: Promise<unknown> = Promise.resolve()
  #arrivals = 0

  private constructor(parts: ChainParts, vm: VM, state: StateReader) {
    this.#parts = parts
    this.common = parts.common
    this.state = state
    this.#vm = vm
    this.#head = parts.head
    this.#time = parts.store.getTimeJournal()
    this.#blocks.set(parts.head.number, parts.head)
  }

  static async create(parts: ChainParts): Promise<Chain> {
    const { store, db, common, head } = parts
    const blockchain = blockHashes(store)
    const stateManager = createStateManager(db, common, head.block.header.stateRoot)
    const vm = await createVM({ common, stateManager, blockchain })
    return new Chain(parts, vm, await StateReader.create(db, common, blockchain))
  }

  get head(): StoredBlock {
    return this.#head
  }

  /** The timestamp and journal that a block mined now would have. */
  nextTime(): BlockTime {
    return nextBlockTime(this.#head.timestamp, this.#parts.clock.nowMs(), this.#time)
  }

  /** @throws {ChainStoppedError} once a block could not be stored; {@link ChainClosedError} once it was closed. */
  assertRunning(): void {
    if (this.#stopped !== undefined) throw this.#stopped
  }

  findBlock(number: number): StoredBlock | undefined {
    const cached = this.#blocks.get(number)
    if (cached !== undefined || number > this.#head.number) return cached
    const row = this.#parts.store.findBlock(number)
    if (row === undefined) return undefined
    const decoded = decodeStoredBlock(row, this.common)
    this.#blocks.set(number, decoded)
    return decoded
  }

  findBlockByHash(hash: Hex): StoredBlock | undefined {
    if (hash === this.#head.hash) return this.#head
    const number = this.#parts.store.findBlockNumber(bytesFromHex(hash))
    return number === undefined ? undefined : this.findBlock(number)
  }

  /** The hash of a block up to the head. */
  getBlockHash(number: number): Hex {
    const hash = this.#parts.store.findBlockHash(number)
    if (hash === undefined) throw new RangeError(`block ${number} is not in the store`)
    return hexFromBytes(hash)
  }

  findTxPlace(hash: Hex): TxPlace | undefined {
    return this.#parts.store.findTx(bytesFromHex(hash))
  }

  /** The blocks in a range that stand under an index key, ascending. */
  listLogBlocks(key: Uint8Array, from: number, to: number): number[] {
    return this.#parts.store.listLogBlocks(key, from, to)
  }

  /** Takes a number in the order of arrival. */
  nextArrival(): number {
    this.#arrivals += 1
    return this.#arrivals
  }

  /** Moves chain time, between two blocks; on disk when this resolves. */
  moveTime(change: (journal: TimeJournal) => TimeJournal): Promise<TimeJournal> {
    return this.#inTurn(async () => {
      const journal = change(this.#time)
      await this.#orStop(() => this.#parts.store.putTimeJournal(journal))
      this.#time = journal
      return journal
    })
  }

  /** Mines one block of what can be mined, even if that is nothing. Calls run one after the other. */
  mine(): Promise<StoredBlock> {
    return this.#inTurn(async () => this.#mineOne(await this.#orStop(() => this.#candidates())))
  }

  /** Mines one block unless nothing can be mined. */
  mineWaiting(): Promise<StoredBlock | undefined> {
    return this.#inTurn(async () => {
      const candidates = await this.#orStop(() => this.#candidates())
      return candidates.peek() === undefined ? undefined : this.#mineOne(candidates)
    })
  }

  /** What a block mined now would take, in its order, if all of it fitted. */
  async listWaiting(): Promise<PoolTx[]> {
    const candidates = await this.#candidates()
    const waiting: PoolTx[] = []
    for (let next = candidates.peek(); next !== undefined; next = candidates.peek()) {
      waiting.push(next)
      candidates.take()
    }
    return waiting
  }

  /** Finishes the block under construction and lets go of the store. */
  async close(): Promise<void> {
    this.#stopped ??= new ChainClosedError()
    await this.#writing
    this.#parts.store.close()
  }

  /** Whatever writes does so alone, in the order of the calls. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#writing.then(() => {
      this.assertRunning()
      return work()
    })
    // The caller of `work` is told; who comes next only waits for the end.
    this.#writing = done.catch(() => undefined)
    return done
  }

  #mineOne(candidates: Candidates): Promise<StoredBlock> {
    const { timestamp, journal } = this.nextTime()
    return this.#orStop(async () => {
      const built = await buildBlock(this.#vm, this.#head.block, timestamp, candidates)
      return this.#commit(built, journal)
    })
  }

  #commit(built: BuiltBlock, time: TimeJournal): StoredBlock {
    const { db, store } = this.#parts
    const rlp = built.block.serialize()
    const stored = storedBlockFrom(built.block, built.receipts, rlp.length)
    const nodes = selectLiveNodes(db.added(), built.block.header.stateRoot)
    store.putBlock({
      number: stored.number,
      hash: built.block.hash(),
      rlp,
      receipts: encodeReceipts(built.receipts),
      txHashes: built.block.transactions.map((tx) => tx.hash()),
      logKeys: logKeys(built.receipts),
      nodes,
      time,
    })
    db.settle(nodes)
    this.#time = time
    this.#head = stored
    this.#blocks.set(stored.number, stored)
    for (const tx of [...built.included, ...built.rejected]) this.pool.remove(tx.hash)
    return stored
  }

  async #candidates(): Promise<Candidates> {
    const queues = new Map<Hex, PoolTx[]>()
    const { header } = this.#head.block
    for (const sender of this.pool.senders()) {
      const { nonce } = await this.state.account(header.stateRoot, sender)
      this.pool.removeBelow(sender, Number(nonce))
      queues.set(sender, this.pool.executable(sender, Number(nonce)))
    }
    return new Candidates(queues, header.calcNextBaseFee())
  }

  /** Any failure here leaves memory and disk in doubt about each other, so it ends the chain. */
  async #orStop<T>(write: () => T | Promise<T>): Promise<T> {
    try {
      return await write()
    } catch (error) {
      throw this.#stop(error)
    }
  }

  #stop(cause: unknown): ChainStoppedError {
    if (this.#stopped instanceof ChainStoppedError) return this.#stopped
    const stopped = new ChainStoppedError(cause)
    this.#stopped = stopped
    this.#parts.onStopped(stopped)
    return stopped
  }
}

/** What the BLOCKHASH instruction asks. */
function blockHashes(store: Store): EVMMockBlockchainInterface {
  const source: EVMMockBlockchainInterface = {
    getBlock: (number) => {
      const hash = store.findBlockHash(number)
      if (hash === undefined) return Promise.reject(new RangeError(`block ${number} is not in the store`))
      return Promise.resolve({ hash: () => hash } as Block)
    },
    putBlock: () => Promise.resolve(),
    shallowCopy: () => source,
  }
  return source
}
