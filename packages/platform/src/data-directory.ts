import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { MemoError } from '@memo/core'
import { diskError, errnoOf, writeFileDurably } from './disk.ts'

/** A living process uses the data directory. */
export class DataDirectoryInUseError extends MemoError {
  override readonly name: string = 'DataDirectoryInUseError'
}

/** The data directory is not one that this version, or this kind of node, can use. */
export class DataDirectoryError extends MemoError {
  override readonly name: string = 'DataDirectoryError'
}

/** A data directory that this process alone uses. */
export type DataDirectory = {
  readonly path: string
  /** Lets the next process in; the operating system does the same when this one ends in whatever way. */
  release(): void
}

/** The layout of data directories that this version writes and reads (`spec/data-directory.md` 1). */
const SCHEMA_VERSION = 2
const STAMP_FILE = 'memo.json'
const LOCK_FILE = 'memo.lock'
const HOLDER_FILE = 'memo.pid'
const SQLITE_BUSY = 5

/**
 * Takes the data directory `dir` for this process, creating it where there is none. `kind` is what is kept there,
 * such as `provider`. Errors: {@link DataDirectoryInUseError}, {@link DataDirectoryError}, DiskFullError,
 * DiskFaultError.
 */
export async function lockDataDirectory(dir: string, kind: string): Promise<DataDirectory> {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    chmodSync(dir, 0o700)
  } catch (error) {
    throw diskError(error, dir)
  }
  const lock = takeLock(dir)
  try {
    await checkStamp(dir, kind)
    writeFileSync(join(dir, HOLDER_FILE), `${process.pid}\n`)
  } catch (error) {
    lock.close()
    throw diskError(error, dir)
  }
  return { path: dir, release: () => lock.isOpen && lock.close() }
}

/** An exclusive SQLite lock, which the operating system drops with the process, so that a dead one never blocks. */
function takeLock(dir: string): DatabaseSync {
  let lock: DatabaseSync | undefined
  try {
    lock = new DatabaseSync(join(dir, LOCK_FILE), { timeout: 0 })
    lock.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE')
    return lock
  } catch (cause) {
    lock?.close()
    if (((cause as { errcode?: number }).errcode ?? 0) % 256 !== SQLITE_BUSY) throw diskError(cause, dir)
    const holder = holderOf(dir)
    throw new DataDirectoryInUseError(`${dir} is in use by ${holder}`, {
      blame: 'user',
      retry: 'later',
      fix: 'Stop the other process, or give this one a directory of its own with --data.',
      details: { path: dir },
      cause,
    })
  }
}

/** The process id is for the message only; the lock itself is SQLite's. */
function holderOf(dir: string): string {
  try {
    const pid = readFileSync(join(dir, HOLDER_FILE), 'utf8').trim()
    return /^\d{1,10}$/.test(pid) ? `process ${pid}` : 'another process'
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'another process'
    throw diskError(error, dir)
  }
}

async function checkStamp(dir: string, kind: string): Promise<void> {
  const path = join(dir, STAMP_FILE)
  const stamp = readStamp(path)
  if (stamp === undefined) return await writeFileDurably(path, `${JSON.stringify({ kind, schema: SCHEMA_VERSION })}\n`)
  if (typeof stamp.schema === 'number' && stamp.schema > SCHEMA_VERSION) {
    throw refused(dir, `was written by a newer version (layout ${stamp.schema}, this one knows ${SCHEMA_VERSION})`, {
      fix: 'Run it with that version or a newer one: npm install --global @memo/cli@latest',
    })
  }
  if (typeof stamp.schema === 'number' && stamp.schema < SCHEMA_VERSION) {
    throw refused(dir, `was written by an earlier version (layout ${stamp.schema}, this one reads ${SCHEMA_VERSION})`, {
      fix: 'Run that version with it, and give this one a directory of its own with --data. Nothing was changed.',
    })
  }
  if (stamp.schema !== SCHEMA_VERSION || typeof stamp.kind !== 'string') {
    throw refused(dir, 'is marked by something that this version does not know', {
      fix: `Look at it with: memo doctor --data ${dir}`,
    })
  }
  if (stamp.kind !== kind) {
    throw refused(dir, `holds the data of a ${stamp.kind}, not of a ${kind}`, {
      fix: `Give the ${kind} a directory of its own with --data.`,
    })
  }
}

function readStamp(path: string): { kind?: unknown; schema?: unknown } | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw diskError(error, path)
  }
  try {
    return (JSON.parse(text) ?? {}) as { kind?: unknown; schema?: unknown }
  } catch {
    return {} // not JSON: refused below as something unknown
  }
}

function refused(dir: string, why: string, { fix }: { fix: string }): DataDirectoryError {
  return new DataDirectoryError(`${dir} ${why}`, { blame: 'user', retry: 'never', fix, details: { path: dir } })
}
