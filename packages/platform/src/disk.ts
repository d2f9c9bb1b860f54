import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { MemoError } from '@memo/core'

/** The disk has no room for what was to be written. */
export class DiskFullError extends MemoError {
  override readonly name: string = 'DiskFullError'
  constructor(where: string, cause: unknown) {
    super(`the disk of ${where} is full`, {
      blame: 'us',
      retry: 'later',
      fix: 'Make room on this disk, or move the data directory to a larger one.',
      details: { path: where },
      cause,
    })
  }
}

/** The disk, or the file system on it, failed: what was asked for may or may not have happened. */
export class DiskFaultError extends MemoError {
  override readonly name: string = 'DiskFaultError'
  constructor(where: string, what: string, cause?: unknown) {
    super(`${what}: ${where}`, {
      blame: 'us',
      retry: 'later',
      fix: 'Look at the system log for faults of this disk, and at the owner and mode of the path.',
      details: { path: where },
      cause,
    })
  }
}

const FULL_CODES: readonly unknown[] = ['ENOSPC', 'EDQUOT', 'EFBIG']

/** The code that the operating system gave, such as `ENOENT`. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

/** The typed error for what the file system threw about `where`. */
export function diskError(error: unknown, where: string): MemoError {
  if (error instanceof MemoError) return error
  const code = errnoOf(error)
  if (FULL_CODES.includes(code)) return new DiskFullError(where, error)
  return new DiskFaultError(where, `the disk failed (${code ?? 'unknown fault'})`, error)
}

/** Runs `work` on `where`; what the file system throws becomes {@link DiskFullError} or {@link DiskFaultError}. */
export async function onDisk<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw diskError(error, where)
  }
}

/** Makes the names in a directory survive a crash; Windows has no such call and needs none. */
export async function syncDirectory(dir: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(dir, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Replaces a file whole: after a crash there is the old one or the new one, never half. `mode` as for chmod. Errors:
 * {@link DiskFullError}, {@link DiskFaultError}.
 */
export async function writeFileDurably(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  await onDisk(path, async () => {
    try {
      const handle = await open(temporary, 'wx', mode)
      await writeAndSync(handle, content)
      await rename(temporary, path)
      await syncDirectory(dirname(path))
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  })
}

/** Writes all of `content`, makes it durable and closes the file, also when that fails. */
export async function writeAndSync(handle: FileHandle, content: string | Uint8Array): Promise<void> {
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
