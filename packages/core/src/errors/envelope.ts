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
      name: printable(name),
      message: printable(message),
      blame: BLAMES.includes(blame as string) ? (blame as Blame) : 'us',
      retry: RETRIES.includes(retry as string) ? (retry as Retry) : 'later',
      ...(typeof fix === 'string' ? { fix: printable(fix) } : {}),
      ...(typeof details === 'object' && details !== null ? { details: details as Record<string, unknown> } : {}),
      ...(Array.isArray(causes)
        ? {
            causes: causes
              .filter((cause) => typeof cause === 'string')
              .slice(0, MAX_CAUSES)
              .map(printable),
          }
        : {}),
    },
  })
}

function causesOf(thrown: unknown): string[] {
  if (thrown instanceof RemoteError) return [...thrown.causes]
  const causes: string[] = []
  const waiting: unknown[] = thrown instanceof Error ? [thrown.cause] : []
  for (let cause = waiting.shift(); cause !== undefined && cause !== null; cause = waiting.shift()) {
    if (causes.length === MAX_CAUSES) break
    if (cause instanceof AggregateError) waiting.push(...cause.errors)
    else causes.push(cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause))
    if (cause instanceof Error) waiting.push(cause.cause)
  }
  return causes
}

/** What others sent, without what moves a terminal's cursor, and not too long. */
function printable(text: string): string {
  return text.slice(0, MAX_TEXT).replace(/\p{Cc}/gu, ' ')
}
