import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DirectoryInUseError } from './errors.ts'

const LOCK_FILE = 'lock.db'
const HOLDER_FILE = 'lock.pid'

/** A held lock. */
export type DirectoryLock = { release(): void }

/**
 * Takes the single-writer lock of a data directory: an exclusive SQLite lock, which the operating system drops when
 * the process ends in whatever way, so that a dead holder never blocks a start.
 *
 * @throws {DirectoryInUseError} when a living process, this one included, holds it.
 */
export function lockDirectory(dataDir: string): DirectoryLock {
  const holderFile = join(dataDir, HOLDER_FILE)
  const db = new DatabaseSync(join(dataDir, LOCK_FILE), { timeout: 0 })
  try {
    db.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE')
  } catch (cause) {
    db.close()
    if (isBusy(cause)) throw new DirectoryInUseError(dataDir, holderOf(holderFile), cause)
    throw cause
  }
  writeFileSync(holderFile, `${process.pid}\n`)
  return { release: () => db.close() }
}

/** Whether SQLite refused because another connection holds a lock (result code 5, in its extended forms too). */
export function isBusy(error: unknown): boolean {
  const code = (error as { errcode?: unknown } | undefined)?.errcode
  return typeof code === 'number' && (code & 0xff) === 5
}

/** The process id is for the message only; the lock itself is SQLite's. */
function holderOf(holderFile: string): string {
  try {
    const pid = readFileSync(holderFile, 'utf8').trim()
    return /^\d{1,10}$/.test(pid) ? `process ${pid}` : 'another process'
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'another process'
    throw error
  }
}
