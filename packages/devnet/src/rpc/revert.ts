import { bytesFromHex, type Hex } from '../hex.ts'

/** Selectors of Solidity's `Error(string)` and `Panic(uint256)`. */
const ERROR_SELECTOR = '0x08c379a0'
const PANIC_SELECTOR = '0x4e487b71'

const WORD = 32
const SELECTOR = 4

/** Solidity's panic codes in geth's words. */
const PANICS: ReadonlyMap<bigint, string> = new Map([
  [0x00n, 'generic panic'],
  [0x01n, 'assert(false)'],
  [0x11n, 'arithmetic underflow or overflow'],
  [0x12n, 'division or modulo by zero'],
  [0x21n, 'enum overflow'],
  [0x22n, 'invalid encoded storage byte array accessed'],
  [0x31n, 'out-of-bounds array access; popping on an empty array'],
  [0x32n, 'out-of-bounds access of an array or bytesN'],
  [0x41n, 'out of memory'],
  [0x51n, 'uninitialized function'],
])

/** What revert data says in Solidity's two standard forms; undefined for custom errors and anything malformed. */
export function revertReason(data: Hex): string | undefined {
  const selector = data.slice(0, 2 + 2 * SELECTOR)
  const body = bytesFromHex(data).subarray(SELECTOR)
  if (selector === ERROR_SELECTOR) return stringArgument(body)
  if (selector !== PANIC_SELECTOR || body.length !== WORD) return undefined
  const code = word(body, 0)
  return PANICS.get(code) ?? `unknown panic code: 0x${code.toString(16)}`
}

function stringArgument(body: Uint8Array): string | undefined {
  if (body.length < 2 * WORD || word(body, 0) !== BigInt(WORD)) return undefined
  const length = word(body, WORD)
  if (length > BigInt(body.length - 2 * WORD)) return undefined
  return new TextDecoder().decode(body.subarray(2 * WORD, 2 * WORD + Number(length)))
}

function word(body: Uint8Array, offset: number): bigint {
  return BigInt(`0x${Buffer.from(body.subarray(offset, offset + WORD)).toString('hex')}`)
}
