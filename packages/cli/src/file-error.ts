import { MemoError } from '@memo/core'
import { printable } from './printable.ts'

/** A path that was given, or this disk, cannot be read or written. */
export class FileSystemError extends MemoError {
  override readonly name: string = 'FileSystemError'
}

type Saying = { readonly says: string; readonly fix: string; readonly isMachines?: boolean }

const NOT_YOURS = { says: 'permission denied', fix: 'Choose another place, or have its owner let you write there.' }
const FULL = { says: 'the disk is full', fix: 'Make room, or choose a place on another disk.', isMachines: true }
const MANY = { says: 'too many open files', fix: 'Raise the limit (ulimit -n), then try again.', isMachines: true }

/** What the operating system means by its codes. */
const SAYINGS: Readonly<Record<string, Saying>> = {
  EACCES: NOT_YOURS,
  EPERM: NOT_YOURS,
  EROFS: { says: 'it is on a read-only file system', fix: 'Choose a place that can be written.' },
  ENOENT: { says: 'there is no such file or directory', fix: 'Check the path; make the directory first.' },
  ENOTDIR: { says: 'a part of it is a file, not a directory', fix: 'Check the path.' },
  EISDIR: { says: 'it is a directory', fix: 'Name a file in it.' },
  EEXIST: { says: 'something of that name is there already', fix: 'Choose another name.' },
  ENAMETOOLONG: { says: 'its name is too long', fix: 'Choose a shorter one.' },
  ELOOP: { says: 'its links lead in a circle', fix: 'Check the path.' },
  ENOSPC: FULL,
  EDQUOT: { ...FULL, says: 'your share of the disk is used up' },
  EFBIG: { ...FULL, says: 'the file is too large for this file system' },
  EMFILE: MANY,
  ENFILE: MANY,
  EIO: { says: 'the disk failed', fix: 'Look at the system log for faults of this disk.', isMachines: true },
}

/** What the operating system threw about `path`, or about the path that it names; anything else as it is. */
export function fileError(thrown: unknown, path?: string): unknown {
  if (thrown instanceof MemoError || !(thrown instanceof Error)) return thrown
  const { code, path: named } = thrown as NodeJS.ErrnoException
  const saying = SAYINGS[code ?? '']
  const where = path ?? named
  if (!saying || where === undefined) return thrown
  const { says, fix, isMachines = false } = saying
  return new FileSystemError(`${printable(where)} cannot be used: ${says}`, {
    blame: isMachines ? 'us' : 'user',
    retry: isMachines ? 'later' : 'never',
    fix,
    details: { path: where, code },
    cause: thrown,
  })
}
