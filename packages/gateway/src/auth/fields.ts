import { findBytesFromHex } from '@memo/core'

/** What a restricted call carries (`spec/login.md` 3 and 6), as texts from wherever they stood. */
export type AuthFields = {
  readonly did?: string
  readonly token?: string
  readonly requestID?: string
  readonly payload?: string
  readonly payloadHash?: string
  readonly signature?: string
}

/** Places that fields are read from, in order: body, form, query, headers. */
export type FieldSource = Readonly<Record<string, unknown>>

const HEADERS: Readonly<Record<keyof AuthFields, string>> = {
  did: 'x-memo-did',
  token: 'x-memo-token',
  requestID: 'x-memo-request-id',
  payload: 'x-memo-payload',
  payloadHash: 'x-memo-payload-hash',
  signature: 'x-memo-signature',
}
/** `hash` is what a later generation of clients calls the payload. */
const ALIASES: Partial<Record<keyof AuthFields, string>> = { payload: 'hash' }
const NAMES = Object.keys(HEADERS) as (keyof AuthFields)[]

/** The fields of a call; of a name that stands in several places the first counts. */
export function authFieldsFrom(sources: readonly FieldSource[], headers: FieldSource): AuthFields {
  const fields: Partial<Record<keyof AuthFields, string>> = {}
  for (const name of NAMES) {
    const alias = ALIASES[name]
    const found = [
      ...sources.map((source) => source[name] ?? (alias === undefined ? undefined : source[alias])),
      headers[HEADERS[name]],
    ].find((value) => value !== undefined && value !== null && value !== '')
    if (typeof found === 'string' || typeof found === 'number') fields[name] = String(found)
  }
  return fields
}

/** A whole number of at most 2^53 from its decimal text. */
export function findCount(text: string | undefined): number | undefined {
  if (text === undefined || !/^(0|[1-9][0-9]{0,15})$/.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}

/** Bytes of a token: 1 to 256 of them, in hex. */
export function findToken(text: string | undefined): Uint8Array | undefined {
  const bytes = findBytesFromHex(text)
  return bytes && bytes.length > 0 && bytes.length <= 256 ? bytes : undefined
}
