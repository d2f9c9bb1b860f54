import { MemoError } from '@memo/core'

/** What the exit code of every verb says (`spec/cli.md` 3). */
export const EXIT = {
  ok: 0,
  /** A fault of this program or of this machine. */
  us: 1,
  /** The command or what it was given is wrong. */
  usage: 2,
  notFound: 3,
  notAllowed: 4,
  /** Somebody else cannot be reached or is busy: the same command may work later. */
  unreachable: 5,
  /** Somebody else answered wrongly, and asking again will not help. */
  refused: 6,
  interrupted: 130,
} as const

const NOT_ALLOWED: readonly string[] = [
  'BannedError',
  'ForbiddenError',
  'NoRoleError',
  'NotActiveError',
  'NotGranterError',
  'SuspendedError',
  'UnauthorizedError',
  'WrongPasswordError',
  'WrongRoleError',
]

/** The exit code for whatever a verb threw. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof MemoError)) return EXIT.us
  if (/NotFoundError$/.test(error.name)) return EXIT.notFound
  if (NOT_ALLOWED.includes(error.name)) return EXIT.notAllowed
  if (error.blame === 'us') return EXIT.us
  if (error.blame === 'user') return error.retry === 'later' ? EXIT.unreachable : EXIT.usage
  return error.retry === 'never' ? EXIT.refused : EXIT.unreachable
}
