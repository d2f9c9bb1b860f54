/** A size in 64 bits at the most, as vouchers carry it. */
const MAX_SIZE = 2n ** 64n - 1n
const SIZE = /^(0|[1-9][0-9]{0,19})$/

/**
 * A number of bytes from its decimal text; undefined for what is none, negative, or more than 64 bits hold. So is a number of
 * JSON from 2^53 on, for it was rounded on its way here: such sizes come as text.
 */
export function findSize(text: unknown): bigint | undefined {
  const decimal = Number.isSafeInteger(text) ? String(text) : text
  if (typeof decimal !== 'string' || !SIZE.test(decimal)) return undefined
  const size = BigInt(decimal)
  return size <= MAX_SIZE ? size : undefined
}

/** An object as JSON in which `bigint` stands as a bare integer, however large, as the original's clients read it. */
export function bigJson(fields: Readonly<Record<string, bigint | string | number | boolean>>): string {
  const texts = Object.entries(fields).map(([name, value]) => {
    const text = typeof value === 'bigint' ? value.toString() : JSON.stringify(value)
    return `${JSON.stringify(name)}:${text}`
  })
  return `{${texts.join(',')}}`
}
