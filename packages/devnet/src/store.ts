import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { TimeJournal } from './chain-time.ts'
import { StoreMismatchError } from './errors.ts'
import { type DirectoryLock, lockDirectory } from './lock.ts'

/** The layout of the tables below. A store of another version is refused, never converted in place. */
export const SCHEMA_VERSION = 1

const DIRECTORY_MODE = 0o700
const CACHE_KIB = 32 * 1024

const SCHEMA = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE node (key BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE block (number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, rlp BLOB NOT NULL, receipts BLOB NOT NULL) STRICT;
  CREATE TABLE tx (hash BLOB PRIMARY KEY, block INTEGER NOT NULL, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE log_index (key BLOB NOT NULL, block INTEGER NOT NULL, PRIMARY KEY (key, block)) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${SCHEMA_VERSION};
`

/** One block as it is stored: everything that it adds, written in one transaction. */
export type BlockRecord = {
  readonly number: number
  readonly hash: Uint8Array
  readonly rlp: Uint8Array
  readonly receipts: Uint8Array
  readonly txHashes: readonly Uint8Array[]
  readonly logKeys: readonly Uint8Array[]
  readonly nodes: Iterable<readonly [key: string, value: Uint8Array]>
  readonly time: TimeJournal
}

/** A stored block, still encoded. */
export type BlockRow = { readonly rlp: Uint8Array; readonly receipts: Uint8Array }

/** Where a transaction stands. */
export type TxPlace = { readonly block: number; readonly position: number }

/** The SQLite file of a chain, or its in-memory twin. Nothing here knows what a block means. */
export class Store {
  readonly #db: DatabaseSync
  readonly #lock: DirectoryLock | undefined
  readonly #statements: Map<string, StatementSync> = new Map()

  constructor(db: DatabaseSync, lock: DirectoryLock | undefined) {
    this.#db = db
    this.#lock = lock
  }

  getMeta(key: string): string | undefined {
    return this.#sql('SELECT value FROM meta WHERE key = ?').get(key)?.value as string | undefined
  }

  getNode(keyHex: string): Uint8Array | undefined {
    const row = this.#sql('SELECT value FROM node WHERE key = ?').get(Buffer.from(keyHex, 'hex'))
    return row?.value as Uint8Array | undefined
  }

  findBlock(number: number): BlockRow | undefined {
    return this.#sql('SELECT rlp, receipts FROM block WHERE number = ?').get(number) as BlockRow | undefined
  }

  findBlockNumber(hash: Uint8Array): number | undefined {
    return this.#sql('SELECT number FROM block WHERE hash = ?').get(hash)?.number as number | undefined
  }

  findBlockHash(number: number): Uint8Array | undefined {
    return this.#sql('SELECT hash FROM block WHERE number = ?').get(number)?.hash as Uint8Array | undefined
  }

  headNumber(): number | undefined {
    const row = this.#sql('SELECT max(number) AS number FROM block').get()
    return (row?.number as number | null) ?? undefined
  }

  findTx(hash: Uint8Array): TxPlace | undefined {
    return this.#sql('SELECT block, position FROM tx WHERE hash = ?').get(hash) as TxPlace | undefined
  }

  /** The blocks in a range that stand under `key`, ascending. */
  listLogBlocks(key: Uint8Array, from: number, to: number): number[] {
    const rows = this.#sql('SELECT block FROM log_index WHERE key = ? AND block BETWEEN ? AND ?').all(key, from, to)
    return rows.map((row) => row.block as number)
  }

  getTimeJournal(): TimeJournal {
    const next = this.getMeta('next_timestamp')
    return {
      offsetSeconds: Number(this.getMeta('time_offset') ?? '0'),
      nextTimestamp: next === undefined || next === '' ? undefined : Number(next),
    }
  }

  putTimeJournal(journal: TimeJournal): void {
    this.#transaction(() => this.#writeTime(journal))
  }

  /** Writes the first block together with what identifies the chain. */
  putGenesis(record: BlockRecord, meta: ReadonlyMap<string, string>): void {
    this.#transaction(() => {
      for (const [key, value] of meta) this.#putMeta(key, value)
      this.#writeBlock(record)
    })
  }

  /** Returns once the block is on disk (WAL, `synchronous = FULL`); throws with nothing written otherwise. */
  putBlock(record: BlockRecord): void {
    this.#transaction(() => this.#writeBlock(record))
  }

  close(): void {
    this.#statements.clear()
    this.#db.close()
    this.#lock?.release()
  }

  #writeBlock(record: BlockRecord): void {
    const insertNode = this.#sql('INSERT OR IGNORE INTO node (key, value) VALUES (?, ?)')
    for (const [key, value] of record.nodes) insertNode.run(Buffer.from(key, 'hex'), value)
    const insertTx = this.#sql('INSERT INTO tx (hash, block, position) VALUES (?, ?, ?)')
    for (const [position, hash] of record.txHashes.entries()) insertTx.run(hash, record.number, position)
    const insertKey = this.#sql('INSERT INTO log_index (key, block) VALUES (?, ?)')
    for (const key of record.logKeys) insertKey.run(key, record.number)
    const insertBlock = this.#sql('INSERT INTO block (number, hash, rlp, receipts) VALUES (?, ?, ?, ?)')
    insertBlock.run(record.number, record.hash, record.rlp, record.receipts)
    this.#writeTime(record.time)
  }

  #writeTime(journal: TimeJournal): void {
    this.#putMeta('time_offset', String(journal.offsetSeconds))
    this.#putMeta('next_timestamp', journal.nextTimestamp === undefined ? '' : String(journal.nextTimestamp))
  }

  #putMeta(key: string, value: string): void {
    this.#sql('INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value').run(key, value)
  }

  #transaction(write: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      write()
      this.#db.exec('COMMIT')
    } catch (error) {
      // SQLite may have rolled back by itself (a full disk does that); a second ROLLBACK would hide the cause.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  #sql(text: string): StatementSync {
    let statement = this.#statements.get(text)
    if (statement === undefined) {
      statement = this.#db.prepare(text)
      this.#statements.set(text, statement)
    }
    return statement
  }
}

/**
 * Opens the store of a data directory, or a fresh one in memory.
 *
 * @throws {DirectoryInUseError} when another process holds the directory.
 * @throws {StoreMismatchError} when another schema version wrote it.
 */
export function openStore(dataDir: string | undefined): Store {
  if (dataDir === undefined) {
    const memory = new DatabaseSync(':memory:')
    memory.exec(SCHEMA)
    return new Store(memory, undefined)
  }
  mkdirSync(dataDir, { recursive: true, mode: DIRECTORY_MODE })
  const lock = lockDirectory(dataDir)
  try {
    return new Store(openFile(dataDir), lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

/** Whether an error is SQLite's. */
export function isStoreFailure(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === 'ERR_SQLITE_ERROR'
}

function openFile(dataDir: string): DatabaseSync {
  const db = new DatabaseSync(join(dataDir, 'chain.db'), { timeout: 0 })
  try {
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -${CACHE_KIB}`)
    const version = db.prepare('PRAGMA user_version').get()?.user_version as number
    // Created in one transaction: a crash in the middle leaves version 0 and no table.
    if (version === 0) db.exec(`BEGIN; ${SCHEMA} COMMIT`)
    else if (version !== SCHEMA_VERSION) throw schemaMismatch(dataDir, version)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function schemaMismatch(dataDir: string, version: number): StoreMismatchError {
  return new StoreMismatchError(
    `the chain in ${dataDir} was written in schema version ${version}; this program reads version ${SCHEMA_VERSION}`,
    `start it with the version that wrote it, or set it aside: mv ${dataDir} ${dataDir}.v${version}`,
  )
}
