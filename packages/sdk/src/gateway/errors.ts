import {
  BadInputError,
  collectBytes,
  MemoError,
  parseJson,
  type Retry,
  textFromUtf8,
  type WireResponse,
} from '@memo/core'

/** The gateway refused a call or could not do it. */
export class GatewayError extends MemoError {
  override readonly name: string = 'GatewayError'
  readonly status: number

  constructor(status: number, what: string, retry: Retry) {
    super(`the gateway answered ${status}: ${what}`, {
      blame: isCallersFault(status) ? 'user' : 'us',
      retry,
      details: { status },
    })
    this.status = status
  }
}

/** The gateway answered with something that is no answer of its API (`spec/gateway.md`). */
export class BadGatewayAnswerError extends MemoError {
  override readonly name: string = 'BadGatewayAnswerError'
  constructor(what: string, cause?: unknown) {
    super(`the gateway answered ${what}`, { blame: 'us', retry: 'later', cause })
  }
}

const MAX_ERROR_BYTES = 65_536
/** Codes above 500 that speak of the call itself, not of the gateway (`spec/gateway.md` 8). */
const CALLERS_CODES: ReadonlySet<number> = new Set([516, 517, 518, 526])

/** The error that an unsuccessful answer reports, in either of the API's forms. */
export async function errorOfGateway(response: WireResponse): Promise<GatewayError> {
  const text = await readText(response)
  const plain = findObject(text)
  const told = [plain?.Description, plain?.error].find((value) => typeof value === 'string')
  const what = told ?? (text.slice(0, 200) || 'nothing more')
  const retry = isCallersFault(response.status) ? 'never' : 'later'
  return new GatewayError(response.status, String(what), retry)
}

/** The object that a successful answer carries. Errors: {@link BadGatewayAnswerError}. */
export async function readJson(response: WireResponse, maxBytes: number): Promise<Record<string, unknown>> {
  try {
    return (parseJson(await collectBytes(response.body, maxBytes)) ?? {}) as Record<string, unknown>
  } catch (cause) {
    if (!(cause instanceof BadInputError || cause instanceof RangeError)) throw cause
    throw new BadGatewayAnswerError('something that is no JSON', cause)
  }
}

function isCallersFault(status: number): boolean {
  return status < 500 || CALLERS_CODES.has(status)
}

async function readText(response: WireResponse): Promise<string> {
  try {
    return textFromUtf8(await collectBytes(response.body, MAX_ERROR_BYTES))
  } catch (thrown) {
    if (thrown instanceof RangeError || thrown instanceof TypeError) return '' // the status alone says enough
    throw thrown
  }
}

function findObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined // the API also answers with plain text
  }
}
