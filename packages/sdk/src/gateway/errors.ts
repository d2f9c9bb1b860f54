import {
  BadInputError,
  collectBytes,
  MemoError,
  parseJson,
  type Retry,
  textFromUtf8,
  type WireResponse,
} from '@memo/core'

/** What a gateway asks for before it does what was asked of it (`spec/gateway.md` 13). */
export type WantedVoucher = {
  readonly kind: 'space' | 'traffic'
  /** Bytes in all under the nonce of now. */
  readonly size: bigint
}

/** The gateway refused a call or could not do it. */
export class GatewayError extends MemoError {
  override readonly name: string = 'GatewayError'
  readonly status: number
  /** The voucher that would have helped, where one would. */
  readonly wanted: WantedVoucher | undefined

  constructor(status: number, what: string, retry: Retry, wanted?: WantedVoucher) {
    super(`the gateway answered ${status}: ${what}`, {
      blame: isCallersFault(status) ? 'user' : 'us',
      retry,
      details: { status, ...(wanted ? { wanted: { ...wanted, size: `${wanted.size}` } } : {}) },
    })
    this.status = status
    this.wanted = wanted
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
const CALLERS_CODES: ReadonlySet<number> = new Set([516, 517, 518, 519, 526])

/** The error that an unsuccessful answer reports, in either of the API's forms. */
export async function errorOfGateway(response: WireResponse): Promise<GatewayError> {
  const text = await readText(response)
  const plain = findObject(text)
  const told = [plain?.Description, plain?.error].find((value) => typeof value === 'string')
  const what = told ?? (text.slice(0, 200) || 'nothing more')
  const retry = isCallersFault(response.status) ? 'never' : 'later'
  return new GatewayError(response.status, String(what), retry, findWanted(response))
}

/** The object that a successful answer carries. Errors: {@link BadGatewayAnswerError}. */
export async function readGatewayJson(response: WireResponse, maxBytes: number): Promise<Record<string, unknown>> {
  try {
    return (parseJson(await collectBytes(response.body, maxBytes)) ?? {}) as Record<string, unknown>
  } catch (cause) {
    if (!(cause instanceof BadInputError || cause instanceof RangeError)) throw cause
    throw new BadGatewayAnswerError('something that is no JSON', cause)
  }
}

/** The same, with every whole number as a `bigint`: the API writes them bare, however large. */
export async function readBigJson(response: WireResponse, maxBytes: number): Promise<Record<string, unknown>> {
  try {
    const text = textFromUtf8(await collectBytes(response.body, maxBytes))
    const marked = text.replace(/([:[,]\s*)(-?[0-9]+)(?=\s*[,\]}])/g, '$1"#$2"')
    const revive = (_key: string, value: unknown) =>
      typeof value === 'string' && /^#-?[0-9]+$/.test(value) ? BigInt(value.slice(1)) : value
    return (JSON.parse(marked, revive) ?? {}) as Record<string, unknown>
  } catch (cause) {
    // Too long, no UTF-8, no JSON.
    if (!(cause instanceof RangeError || cause instanceof TypeError || cause instanceof SyntaxError)) throw cause
    throw new BadGatewayAnswerError('something that is no JSON', cause)
  }
}

/** The voucher that an answer asks for. */
export function findWanted({ headers }: WireResponse): WantedVoucher | undefined {
  const { 'x-memo-voucher-kind': kind, 'x-memo-voucher-size': size = '' } = headers
  if ((kind !== 'space' && kind !== 'traffic') || !/^[0-9]{1,20}$/.test(size)) return undefined
  return { kind, size: BigInt(size) }
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
