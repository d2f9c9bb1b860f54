/** Whose fault an error is: what a caller shows, and what a score counts. */
export type Blame = 'user' | 'provider' | 'keeper' | 'chain' | 'us'

/** Whether the same call can help: never as it is, now (elsewhere or again), or later. */
export type Retry = 'never' | 'now' | 'later'

/** What an error carries beside its message. No secret may stand in any of it. */
export type MemoErrorOptions = {
  readonly blame: Blame
  readonly retry: Retry
  /** What the reader can do about it, as one sentence or a command. */
  readonly fix?: string | undefined
  /** Values that explain the error; only JSON. */
  readonly details?: Readonly<Record<string, unknown>> | undefined
  readonly cause?: unknown
}

/**
 * The base of every error that the world can cause (`spec/errors.md` 1). One subclass per meaning, told apart
 * by `name`, beside the code that throws it.
 */
export class MemoError extends Error {
  override readonly name: string = 'MemoError'
  readonly blame: Blame
  readonly retry: Retry
  readonly fix: string | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(message: string, options: MemoErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.blame = options.blame
    this.retry = options.retry
    this.fix = options.fix
    this.details = options.details ?? {}
  }
}

/** A value from outside that is not of the form it must have (`spec/errors.md` 3). */
export class BadInputError extends MemoError {
  override readonly name: string = 'BadInputError'
  constructor(message: string, options: Partial<MemoErrorOptions> = {}) {
    super(message, { blame: 'user', retry: 'never', ...options })
  }
}

/** Something that the caller named does not exist here (`spec/errors.md` 3). */
export class NotFoundError extends MemoError {
  override readonly name: string = 'NotFoundError'
  constructor(message: string, options: Partial<MemoErrorOptions> = {}) {
    super(message, { blame: 'user', retry: 'never', ...options })
  }
}

/** A broken promise of our own code: a bug, never the world's doing. */
export class AssertionError extends MemoError {
  override readonly name: string = 'AssertionError'
  constructor(message: string) {
    super(message, { blame: 'us', retry: 'never', fix: 'Report this as a bug.' })
  }
}

/** Throws {@link AssertionError} unless `condition` holds. Only for what our own code guarantees. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}
