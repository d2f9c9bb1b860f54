import { type Blame, MemoError, type Retry } from './memo-error.ts'

/** How an error crosses a wire between nodes, and what `--json` prints (`spec/errors.md` 2). */
export type ErrorEnvelope = {
  readonly error: {
    readonly name: string
    readonly message: string
    readonly blame: Blame
    readonly retry: Retry
    readonly fix?: string
    readonly details?: Readonly<Record<string, unknown>>
    /** Names and messages of the causes, outermost first. */
    readonly causes?: readonly string[]
  }
}

const MAX_CAUSES = 5
const MAX_TEXT = 2_000

const BLAMES: readonly string[] = ['user', 'provider', 'keeper', 'chain', 'us']
const RETRIES: readonly string[] = ['never', 'now', 'later']

/** An error that another node reported. `name` is the name that it gave. */
export class RemoteError extends MemoError {
  override readonly name: string
  readonly causes: readonly string[]

  constructor(envelope: ErrorEnvelope) {
    const { name, message, blame, retry, fix, details, causes } = envelope.error
    super(message, { blame, retry, fix, details })
    this.name = name
    this.causes = causes ?? []
  }
}

/** The envelope of any thrown value; what is not a {@link MemoError} is our fault and keeps its message only. */
export function envelopeFromError(thrown: unknown): ErrorEnvelope {
  const causes = causesOf(thrown)
  const base =
    thrown instanceof MemoError
      ? {
          name: thrown.name,
          message: thrown.message,
          blame: thrown.blame,
          retry: thrown.retry,
          ...(thrown.fix === undefined ? {} : { fix: thrown.fix }),
          ...(Object.keys(thrown.details).length === 0 ? {} : { details: thrown.details }),
        }
      : {
          name: thrown instanceof Error ? thrown.name : 'Error',
          message: thrown instanceof Error ? thrown.message : String(thrown),
          blame: 'us' as const,
          retry: 'later' as const,
        }
  return { error: { ...base, ...(causes.length === 0 ? {} : { causes }) } }
}

/** The error that an envelope describes, or undefined when `value` is no envelope. */
export function errorFromEnvelope(value: unknown): RemoteError | undefined {
  if (typeof value !== 'object' || value === null || !('error' in value)) return undefined
  const body = (value as { error: unknown }).error
  if (typeof body !== 'object' || body === null) return undefined
  const fields = body as Record<string, unknown>
  const { name, message, blame, retry, fix, details, causes } = fields
  if (typeof name !== 'string' || typeof message !== 'string') return undefined
  return new RemoteError({
    error: {
      name: name.slice(0, MAX_TEXT),
      message: message.slice(0, MAX_TEXT),
      blame: BLAMES.includes(blame as string) ? (blame as Blame) : 'us',
      retry: RETRIES.includes(retry as string) ? (retry as Retry) : 'later',
      ...(typeof fix === 'string' ? { fix: fix.slice(0, MAX_TEXT) } : {}),
      ...(typeof details === 'object' && details !== null ? { details: details as Record<string, unknown> } : {}),
      ...(Array.isArray(causes) ? { causes: causes.filter((c) => typeof c === 'string').slice(0, MAX_CAUSES) } : {}),
    },
  })
}

function causesOf(thrown: unknown): string[] {
  const causes: string[] = []
  let cause = thrown instanceof Error ? thrown.cause : undefined
  while (cause !== undefined && cause !== null && causes.length < MAX_CAUSES) {
    causes.push(cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause))
    cause = cause instanceof Error ? cause.cause : undefined
  }
  return causes
}
