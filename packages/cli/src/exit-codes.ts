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

/** Statuses of a gateway's refusals to who may not (`spec/gateway.md` 8). */
const GATEWAY_NOT_ALLOWED: readonly unknown[] = [401, 403, 526]

/** The exit code for whatever a verb threw. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof MemoError)) return EXIT.us
  if (/NotFoundError$/.test(error.name)) return EXIT.notFound
  if (NOT_ALLOWED.includes(error.name)) return EXIT.notAllowed
  // A gateway says in one class what nodes say in many.
  if (error.name === 'GatewayError' && error.details.status === 404) return EXIT.notFound
  if (error.name === 'GatewayError' && GATEWAY_NOT_ALLOWED.includes(error.details.status)) return EXIT.notAllowed
  if (error.name === 'GatewayError' && error.retry !== 'never') return EXIT.unreachable
  // Whoever is not reached, it is not this program that failed.
  if (error.name === 'UnreachableError' || error.name === 'DeadlineError') return EXIT.unreachable
  if (error.blame === 'us') return EXIT.us
  if (error.blame === 'user') return error.retry === 'later' ? EXIT.unreachable : EXIT.usage
  return error.retry === 'never' ? EXIT.refused : EXIT.unreachable
}
