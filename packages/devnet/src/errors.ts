/** Whose fault an error is. */
export type Blame = 'user' | 'chain' | 'us'

/** Whether the same call can help: never as it is, or later. */
export type Retry = 'never' | 'later'

/** What a {@link DevnetError} carries beside its message. */
export type DevnetErrorOptions = {
  readonly blame: Blame
  readonly retry: Retry
  /** What the reader can do about it, as one sentence or a command. */
  readonly fix?: string
  readonly cause?: unknown
}

/** The base of what can go wrong outside one JSON-RPC call: opening, listening, storing (`spec/devnet.md` 7). */
export class DevnetError extends Error {
  override readonly name: string = 'DevnetError'
  readonly blame: Blame
  readonly retry: Retry
  readonly fix: string | undefined

  constructor(message: string, options: DevnetErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.blame = options.blame
    this.retry = options.retry
    this.fix = options.fix
  }
}

/** An option that no chain can be made of. */
export class BadOptionError extends DevnetError {
  override readonly name = 'BadOptionError'

  constructor(message: string, fix?: string) {
    super(message, { blame: 'user', retry: 'never', ...(fix === undefined ? {} : { fix }) })
  }
}

/** Another process holds the data directory. */
export class DirectoryInUseError extends DevnetError {
  override readonly name = 'DirectoryInUseError'

  constructor(dataDir: string, holder: string, cause?: unknown) {
    super(`the chain directory ${dataDir} is in use by ${holder}`, {
      blame: 'user',
      retry: 'later',
      fix: `stop ${holder}, or pass another directory`,
      cause,
    })
  }
}

/** The directory holds another chain, or was written by another version. */
export class StoreMismatchError extends DevnetError {
  override readonly name = 'StoreMismatchError'

  constructor(message: string, fix: string) {
    super(message, { blame: 'user', retry: 'never', fix })
  }
}

/** A block could not be stored; nothing is answered any more, so that no answer can be wrong. */
export class ChainStoppedError extends DevnetError {
  override readonly name = 'ChainStoppedError'

  constructor(cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super(`the chain has stopped because a block could not be stored: ${reason}`, {
      blame: 'us',
      retry: 'later',
      fix: 'free disk space or repair the disk, then start the chain again; acknowledged blocks are kept',
      cause,
    })
  }
}

/** The chain was closed by its owner. */
export class ChainClosedError extends DevnetError {
  override readonly name = 'ChainClosedError'

  constructor() {
    super('the chain has closed', { blame: 'user', retry: 'never', fix: 'open it again' })
  }
}

/** The address to listen on is taken or not ours. */
export class ListenError extends DevnetError {
  override readonly name = 'ListenError'

  constructor(host: string, port: number, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super(`cannot listen on ${host}:${port}: ${reason}`, {
      blame: 'user',
      retry: 'later',
      fix: 'stop what uses the port, or pass another --port',
      cause,
    })
  }
}
