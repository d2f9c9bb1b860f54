import contentDisposition from 'content-disposition'
import mime from 'mime'

const MAX_NAME_BYTES = 1_024
const MAX_TYPE_CHARS = 128
const DEFAULT_TYPE = 'application/octet-stream'
/** A client that does not know says these; the name knows better. */
const VAGUE_TYPES: ReadonlySet<string> = new Set(['', DEFAULT_TYPE, 'text/plain'])
/** Control characters, and the marks that make a name read in another direction than it is. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
const UNSAFE = /[\u0000-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g

const NOT_ASCII = /[^\u0020-\u007e]/gu

/**
 * The name that an object gets for the name that a client sent: its last path segment without control characters,
 * at most 1,024 bytes of UTF-8 with its extension kept; `file` when nothing is left.
 */
export function objectNameOf(sent: string): string {
  const last = sent.replace(UNSAFE, '').split(/[/\\]/).at(-1)?.trim() ?? ''
  const name = last === '.' || last === '..' ? '' : last
  return shorten(name === '' ? 'file' : name)
}

/** MIME type of an object: by its extension, else what the client said. */
export function contentTypeOf(name: string, said: string): string {
  const byName = mime.getType(name)
  if (byName) return byName
  const isType = said.length <= MAX_TYPE_CHARS && /^[\w.+-]+\/[\w.+-]+$/.test(said)
  return isType && !VAGUE_TYPES.has(said) ? said : DEFAULT_TYPE
}

/** `Content-Disposition` with the name in ASCII, and beside it in UTF-8 where that is another one. */
export function dispositionOf(name: string): string {
  return contentDisposition(name, { fallback: name.replace(NOT_ASCII, '?') })
}

function shorten(name: string): string {
  if (new TextEncoder().encode(name).length <= MAX_NAME_BYTES) return name
  const dot = name.lastIndexOf('.')
  const extension = dot > 0 && name.length - dot <= 16 ? name.slice(dot) : ''
  const characters = [...name.slice(0, extension === '' ? undefined : dot)]
  let room = MAX_NAME_BYTES - new TextEncoder().encode(extension).length
  let stem = ''
  for (const character of characters) {
    room -= new TextEncoder().encode(character).length
    if (room < 0) break
    stem += character
  }
  return stem + extension
}
