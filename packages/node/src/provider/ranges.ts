/** A stretch of a piece. */
export type ByteRange = { readonly offset: number; readonly length: number }

const RANGE = /^bytes=(\d{0,15})-(\d{0,15})$/

/**
 * What a `Range` header asks of `sizeBytes` bytes: undefined when there is no header, `'unsatisfiable'` for what
 * cannot be served as one range (also several ranges, or something that is none).
 */
export function findRange(header: string | undefined, sizeBytes: number): ByteRange | 'unsatisfiable' | undefined {
  if (header === undefined) return undefined
  const match = RANGE.exec(header.trim())
  if (!match) return 'unsatisfiable'
  const [, first = '', last = ''] = match
  if (first === '') return suffix(Number(last), sizeBytes, last !== '')
  const offset = Number(first)
  const end = last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1)
  if (offset >= sizeBytes || end < offset) return 'unsatisfiable'
  return { offset, length: end - offset + 1 }
}

/** The last `count` bytes. */
function suffix(count: number, sizeBytes: number, isGiven: boolean): ByteRange | 'unsatisfiable' {
  if (!isGiven || count === 0) return 'unsatisfiable'
  const length = Math.min(count, sizeBytes)
  return { offset: sizeBytes - length, length }
}
