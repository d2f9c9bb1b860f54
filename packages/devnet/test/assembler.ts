const OPCODES: Readonly<Record<string, number>> = {
  STOP: 0x00,
  ADD: 0x01,
  SUB: 0x03,
  EQ: 0x14,
  ISZERO: 0x15,
  SHL: 0x1b,
  SHR: 0x1c,
  CALLER: 0x33,
  CALLDATALOAD: 0x35,
  BLOCKHASH: 0x40,
  TIMESTAMP: 0x42,
  NUMBER: 0x43,
  PREVRANDAO: 0x44,
  MSTORE: 0x52,
  SLOAD: 0x54,
  SSTORE: 0x55,
  JUMPI: 0x57,
  GAS: 0x5a,
  JUMPDEST: 0x5b,
  DUP1: 0x80,
  LOG2: 0xa2,
  CALL: 0xf1,
  RETURN: 0xf3,
  REVERT: 0xfd,
  INVALID: 0xfe,
}

/**
 * Assembles EVM code: instructions by name, `0x…` pushes as many bytes as it has, `name:` is a jump target and
 * `@name` pushes it.
 */
export function assemble(source: string): string {
  const tokens = source.split(/\s+/).filter((token) => token !== '')
  const labels = new Map<string, number>()
  const sizes = tokens.map((token) => (token.startsWith('0x') ? token.length / 2 : token.startsWith('@') ? 3 : 1))
  let offset = 0
  for (const [index, token] of tokens.entries()) {
    if (token.endsWith(':')) labels.set(token.slice(0, -1), offset)
    offset += sizes[index]!
  }
  return tokens.map((token) => encode(token, labels)).join('')
}

function encode(token: string, labels: ReadonlyMap<string, number>): string {
  if (token.endsWith(':')) return byte(OPCODES.JUMPDEST!)
  if (token.startsWith('0x')) return byte(0x5f + (token.length - 2) / 2) + token.slice(2)
  if (token.startsWith('@')) {
    const target = labels.get(token.slice(1))
    if (target === undefined) throw new RangeError(`no label ${token}`)
    return `61${target.toString(16).padStart(4, '0')}`
  }
  const opcode = OPCODES[token]
  if (opcode === undefined) throw new RangeError(`no instruction ${token}`)
  return byte(opcode)
}

/** Code that deploys `runtime`. */
export function deployCode(runtime: string): `0x${string}` {
  const size = (runtime.length / 2).toString(16).padStart(4, '0')
  return `0x61${size}80600a3d393df3${runtime}`
}

function byte(value: number): string {
  return value.toString(16).padStart(2, '0')
}
