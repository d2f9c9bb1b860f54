import { MemoError } from '@memo/core'

/** How long a client waits before it tries again what cannot be served now. */
export const RETRY_AFTER_SECONDS = '10'

/** Codes and base texts of the original's HTTP errors (`spec/gateway.md` 8). */
const BASES = {
  401: ['Authentication', 'Authentication Failed'],
  403: ['Permission', "You don't have access to the resource"],
  404: ['Storage', 'Storage Error'],
  413: ['Storage', 'Error storing file'],
  416: ['Storage', 'Storage Error'],
  500: ['InternalError', 'We encountered an internal error, please try again.'],
  501: ['NotImplemented', 'A header you provided implies functionality that is not implemented'],
  503: ['Storage', 'Storage Error'],
  516: ['Storage', 'Error storing file'],
  517: ['Address', 'Address Error'],
  518: ['Storage', 'Storage Error'],
  519: ['contract', 'contract Error'],
  526: ['Permission', "You don't have access to the resource"],
} as const

export type ApiStatus = keyof typeof BASES

/** An error of the HTTP API, in the original's form. */
export class ApiError extends MemoError {
  override readonly name: string = 'ApiError'
  readonly status: ApiStatus
  readonly detail: string
  /** Headers that say to programs what the description says to people. */
  readonly headers: Readonly<Record<string, string>>

  constructor(status: ApiStatus, detail: string, cause?: unknown, headers: Readonly<Record<string, string>> = {}) {
    const isLater = status === 503 || status === 500
    super(`${BASES[status][1]} (${detail})`, {
      blame: status >= 500 && status < 516 ? 'us' : 'user',
      retry: isLater ? 'later' : 'never',
      cause,
    })
    this.status = status
    this.detail = detail
    this.headers = headers
  }

  /** The body that clients of the original expect. */
  toBody(): { Code: string; Description: string; HTTPStatusCode: number } {
    return { Code: BASES[this.status][0], Description: this.message, HTTPStatusCode: this.status }
  }
}

/** A call lacks what it must carry, or carries something else in its place. */
export const MISSING = 'Missing parameters, please refer to the API documentation for details'

/** A refused login or restricted call; its text is the original's (`spec/login.md` 8). */
export class LoginRefusedError extends MemoError {
  override readonly name: string = 'LoginRefusedError'
  constructor(text: string) {
    super(text, { blame: 'user', retry: 'never' })
  }
}

/** What the gateway's account lacks is no fault of who asks it. */
const OWN_LACKS: ReadonlySet<string> = new Set(['EscrowTooSmallError', 'GasMoneyMissing'])
/** What is refused now for being too much, and answered later. */
const LATER: ReadonlySet<string> = new Set(['TooManyRequestsError'])

/** The API error that any thrown value answers with. */
export function apiErrorFrom(thrown: unknown): ApiError | LoginRefusedError {
  if (thrown instanceof ApiError || thrown instanceof LoginRefusedError) return thrown
  if (!(thrown instanceof MemoError)) return new ApiError(500, 'unexpected fault', thrown)
  const text = thrown.fix ? `${thrown.message}. ${thrown.fix}` : thrown.message
  if (thrown.name === 'NotFoundError') return new ApiError(404, text, thrown)
  if (thrown.name === 'UnauthorizedError') return new ApiError(401, text, thrown)
  if (thrown.name === 'BodyTooLargeError') return new ApiError(413, text, thrown)
  if (thrown.name === 'BadCidError') return new ApiError(517, text, thrown)
  if (OWN_LACKS.has(thrown.name) || LATER.has(thrown.name)) return new ApiError(503, text, thrown)
  if (thrown.blame === 'provider' || thrown.blame === 'keeper' || thrown.blame === 'chain') {
    return new ApiError(503, text, thrown)
  }
  return thrown.blame === 'user' ? new ApiError(516, text, thrown) : new ApiError(500, text, thrown)
}
