/** The head of an answer, and how its body ends. */
export type AnswerHead = {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  /** Bytes of the body; `chunked`; or all until the connection ends. */
  readonly length: number | 'chunked' | 'until-end'
  /** Whether the connection may carry another request afterwards. */
  readonly isKept: boolean
}

/** The other side does not speak HTTP/1.1 as it should. */
export class MalformedAnswerError extends Error {
  readonly code = 'MALFORMED_ANSWER'
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: |$)/
const HEADER_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/
const LENGTH = /^[0-9]{1,15}$/
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** What may stand in the value of a header: no end of line, or others could write our next one. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const PATH = /^\/[\x21-\x7e]*$/

/** Parses a head without the empty line at its end. Errors: {@link MalformedAnswerError}. */
export function parseAnswerHead(text: string, method: string): AnswerHead {
  const [first = '', ...lines] = text.split('\r\n')
  const [, minor, code] = STATUS_LINE.exec(first) ?? []
  if (code === undefined) throw new MalformedAnswerError('not the first line of an answer')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const [, name, value = ''] = HEADER_LINE.exec(line) ?? []
    if (name === undefined) throw new MalformedAnswerError('a line that is no header')
    const key = name.toLowerCase()
    headers[key] = Object.hasOwn(headers, key) ? `${headers[key]}, ${value}` : value
  }
  const status = Number(code)
  const tokens = (headers.connection ?? '').toLowerCase().split(/[ ,]+/)
  const length = lengthOf(headers, status, method)
  const isKept = minor === '1' && !tokens.includes('close') && length !== 'until-end'
  return { status, headers, length, isKept }
}

function lengthOf(headers: Readonly<Record<string, string>>, status: number, method: string): AnswerHead['length'] {
  const { 'content-length': length, 'transfer-encoding': encoding } = headers
  if (length !== undefined && encoding !== undefined) throw new MalformedAnswerError('two lengths of one body')
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return 0
  if (encoding !== undefined) {
    if (encoding.toLowerCase() !== 'chunked') throw new MalformedAnswerError('an unknown transfer encoding')
    return 'chunked'
  }
  if (length === undefined) return 'until-end'
  if (!LENGTH.test(length)) throw new MalformedAnswerError('a length that is none')
  return Number(length)
}

/** The head of a request with its empty line. Errors: TypeError for what cannot stand there. */
export function requestHead(
  request: { readonly method: string; readonly headers: Readonly<Record<string, string>> },
  path: string,
  host: string,
  bodyBytes: number | undefined,
): string {
  if (!TOKEN.test(request.method) || !PATH.test(path)) throw new TypeError(`no request line: ${request.method} ${path}`)
  let head = `${request.method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`
  for (const [name, value] of Object.entries(request.headers)) {
    if (!TOKEN.test(name) || !HEADER_VALUE.test(value)) throw new TypeError(`no header: ${name}`)
    head += `${name}: ${value}\r\n`
  }
  if (bodyBytes !== undefined) head += `content-length: ${bodyBytes}\r\n`
  return `${head}\r\n`
}

/** Takes the bytes of a chunked body apart. */
export type ChunkedReader = {
  /** Gives the data in `bytes` to `take`; true once the body has ended. Errors: {@link MalformedAnswerError}. */
  feed(bytes: Uint8Array, take: (data: Uint8Array) => void): boolean
}

const MAX_LINE_CHARS = 4_096
const CHUNK_SIZE = /^([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?$/

export function createChunkedReader(): ChunkedReader {
  let state: 'size' | 'end-of-data' | 'trailer' = 'size'
  let left = 0
  let line = ''
  const endLine = (): boolean => {
    if (state === 'end-of-data') {
      if (line !== '') throw new MalformedAnswerError('a chunk that is longer than it says')
      state = 'size'
    } else if (state === 'size') {
      const [, digits] = CHUNK_SIZE.exec(line) ?? []
      if (digits === undefined) throw new MalformedAnswerError('a chunk without its size')
      left = Number.parseInt(digits, 16)
      state = left === 0 ? 'trailer' : 'end-of-data'
    } else if (line === '') return true
    line = ''
    return false
  }
  return {
    feed(bytes, take) {
      for (let at = 0; at < bytes.length; ) {
        if (left > 0) {
          const end = Math.min(bytes.length, at + left)
          take(bytes.subarray(at, end))
          left -= end - at
          at = end
          continue
        }
        const byte = bytes[at++]!
        if (byte === 10) {
          if (line.endsWith('\r')) line = line.slice(0, -1)
          if (!endLine()) continue
          if (at < bytes.length) throw new MalformedAnswerError('bytes behind an answer')
          return true
        }
        line += String.fromCharCode(byte)
        if (line.length > MAX_LINE_CHARS) throw new MalformedAnswerError('an endless line')
      }
      return false
    },
  }
}
