import { MemoError } from '../errors/index.ts'

/** A call with more or fewer strips than the code has. A bug of the caller. */
export class StripCountError extends MemoError {
  override readonly name: string = 'StripCountError'
  constructor(role: string, expected: number, actual: number) {
    super(`expected ${expected} ${role} strips, got ${actual}`, {
      blame: 'us',
      retry: 'never',
      details: { role, expected, actual },
    })
  }
}

/** Strips of one stripe that are not all of one length. */
export class StripLengthError extends MemoError {
  override readonly name: string = 'StripLengthError'
  constructor(role: string, index: number, expected: number, actual: number) {
    super(`${role} strip ${index} has ${actual} bytes where the others have ${expected}`, {
      blame: 'us',
      retry: 'never',
      fix: 'Check every strip against its piece root before it is decoded; pad the last stripe.',
      details: { role, index, expected, actual },
    })
  }
}

/** An output that shares memory with another strip of the same call: it would be read after it was written. */
export class StripOverlapError extends MemoError {
  override readonly name: string = 'StripOverlapError'
  constructor(index: number) {
    super(`output strip ${index} shares memory with another strip`, {
      blame: 'us',
      retry: 'never',
      fix: 'Give every output memory of its own.',
      details: { index },
    })
  }
}

/** Throws {@link StripCountError} unless there are `expected` strips. */
export function assertStripCount(role: string, strips: readonly unknown[], expected: number): void {
  if (strips.length !== expected) throw new StripCountError(role, expected, strips.length)
}

/** Throws {@link StripLengthError} unless every strip has `expected` bytes. */
export function assertStripLengths(role: string, strips: readonly Uint8Array[], expected: number): void {
  for (const [index, strip] of strips.entries()) {
    if (strip.length !== expected) throw new StripLengthError(role, index, expected, strip.length)
  }
}

/** Throws {@link StripOverlapError} when an output shares a byte with an input or with another output. */
export function assertNoOverlap(inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]): void {
  for (const [index, output] of outputs.entries()) {
    const isShared =
      inputs.some((input) => isOverlap(output, input)) ||
      outputs.some((other, position) => position > index && isOverlap(output, other))
    if (isShared) throw new StripOverlapError(index)
  }
}

function isOverlap(a: Uint8Array, b: Uint8Array): boolean {
  return (
    a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength
  )
}
