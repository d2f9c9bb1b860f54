import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { BadInputError, type IndexChange, type IndexStore, MemoError } from '@memo/core'
import { DiskFaultError, DiskFullError, diskError } from './disk.ts'

/** Another process holds the store. */
export class StoreBusyError extends MemoError {
  override readonly name: string = 'StoreBusyError'
  constructor(path: string, cause: unknown) {
    super(`another process uses ${path}`, {
      blame: 'us',
      retry: 'later',
      fix: 'Stop the other process that uses this data directory.',
      details: { path },
      cause,
    })
  }
}

/** The store was closed before the call. */
export class StoreClosedError extends MemoError {
  override readonly name: string = 'StoreClosedError'
  constructor(path: string) {
    super(`${path} is closed`, { blame: 'us', retry: 'never' })
  }
}

const BUSY_TIMEOUT_MS = 1_000
const SCHEMA_VERSION = 1
/** More records than this in one transaction would hold up everything else for too long. */
const MAX_GROUP_CHANGES = 20_000

// A table with row ids, because values can be large and would spoil a b-tree that is keyed by `key` alone.
const SCHEMA = `
  CREATE TABLE record (key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) STRICT;
  PRAGMA user_version = ${SCHEMA_VERSION};
`

type Pending = {
  readonly changes: readonly IndexChange[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Opens an {@link IndexStore} in one SQLite file, write-ahead logged and synced on every commit. Calls of `apply` that
 * arrive together are committed together, in their order. Errors: {@link StoreBusyError}, {@link StoreClosedError},
 * {@link DiskFullError}, {@link DiskFaultError}.
 */
export function openSqliteIndexStore(path: string): IndexStore {
  const db = openDatabase(path)
  const statements = prepare(db)
  let queue: Pending[] = []
  let isClosed = false
  const assertOpen = () => {
    if (isClosed) throw new StoreClosedError(path)
  }
  const flush = () => {
    while (queue.length > 0) {
      const group = takeGroup(queue)
      queue = queue.slice(group.length)
      try {
        commit(db, statements, group)
      } catch (error) {
        for (const { reject } of group) reject(storeError(error, path))
        continue
      }
      for (const { resolve } of group) resolve()
    }
  }
  return {
    async get(key) {
      assertOpen()
      return guarded(path, () => statements.get.get(key)?.value as Uint8Array | undefined)
    },
    async apply(changes) {
      assertOpen()
      if (changes.length === 0) return
      const owned = changes.map(ownChange)
      await new Promise<void>((resolve, reject) => {
        if (queue.length === 0) setImmediate(flush)
        queue.push({ changes: owned, resolve, reject })
      })
    },
    async list({ prefix, after = '', limit }) {
      assertOpen()
      const end = endOfPrefix(prefix)
      const rows = guarded(path, () =>
        end === undefined
          ? statements.listAll.all(prefix, after, limit)
          : statements.listPrefix.all(prefix, after, end, limit),
      )
      return rows.map((row) => ({ key: row.key as string, value: row.value as Uint8Array }))
    },
    async close() {
      if (isClosed) return
      isClosed = true
      flush()
      db.close()
    },
  }
}

function openDatabase(path: string): DatabaseSync {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  } catch (error) {
    throw diskError(error, path)
  }
  return guarded(path, () => {
    const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
    try {
      db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;')
      const version = db.prepare('PRAGMA user_version').get()?.user_version
      if (version === 0) db.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT`)
      else if (version !== SCHEMA_VERSION)
        throw new DiskFaultError(path, `the store has the unknown version ${version}`)
    } catch (error) {
      db.close()
      throw error
    }
    return db
  })
}

type Statements = {
  readonly get: StatementSync
  readonly put: StatementSync
  readonly remove: StatementSync
  readonly listAll: StatementSync
  readonly listPrefix: StatementSync
}

function prepare(db: DatabaseSync): Statements {
  return {
    get: db.prepare('SELECT value FROM record WHERE key = ?'),
    put: db.prepare(
      'INSERT INTO record (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    ),
    remove: db.prepare('DELETE FROM record WHERE key = ?'),
    listAll: db.prepare('SELECT key, value FROM record WHERE key >= ? AND key > ? ORDER BY key LIMIT ?'),
    listPrefix: db.prepare('SELECT key, value FROM record WHERE key >= ? AND key > ? AND key < ? ORDER BY key LIMIT ?'),
  }
}

/** What the caller gave, in memory of our own: it is written later than the call. */
function ownChange({ key, value }: IndexChange): IndexChange {
  if (!isIndexKey(key)) throw new BadInputError('a key of an index record that is not printable ASCII')
  return value === undefined ? { key } : { key, value: value.slice() }
}

/** Printable ASCII only: SQLite orders by UTF-8 bytes and ends text at NUL, the port orders by UTF-16 code units. */
function isIndexKey(key: string): boolean {
  return /^[\x20-\x7e]+$/.test(key)
}

/** The smallest string greater than everything that starts with `prefix`; undefined when nothing bounds it. */
function endOfPrefix(prefix: string): string | undefined {
  if (prefix === '') return undefined
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
}

function takeGroup(queue: readonly Pending[]): readonly Pending[] {
  let changes = 0
  const end = queue.findIndex((pending) => {
    changes += pending.changes.length
    return changes > MAX_GROUP_CHANGES
  })
  return end < 0 ? queue : queue.slice(0, Math.max(1, end))
}

function commit(db: DatabaseSync, { put, remove }: Statements, group: readonly Pending[]): void {
  db.exec('BEGIN IMMEDIATE')
  try {
    for (const { changes } of group) {
      for (const { key, value } of changes) {
        if (value === undefined) remove.run(key)
        else put.run(key, value)
      }
    }
    db.exec('COMMIT')
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

function guarded<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw storeError(error, path)
  }
}

const SQLITE_BUSY = 5
const SQLITE_LOCKED = 6
const SQLITE_FULL = 13

/** The typed error for what SQLite threw; the low byte of its result code is the kind. */
function storeError(error: unknown, path: string): unknown {
  if (error instanceof MemoError) return error
  const code = (error as { errcode?: unknown }).errcode
  if (typeof code !== 'number') return error
  const kind = code & 0xff
  if (kind === SQLITE_BUSY || kind === SQLITE_LOCKED) return new StoreBusyError(path, error)
  if (kind === SQLITE_FULL) return new DiskFullError(path, error)
  return new DiskFaultError(path, `the store failed (${(error as Error).message})`, error)
}
