import { equalBytes } from '../../bytes/index.ts'
import { MemoError } from '../../errors/index.ts'

/**
 * One claim that every implementation of a port keeps. Suites are lists of them, so that any test runner can run them:
 *
 * ```ts
 * for (const { name, run } of describeIndexStore('SQLite', create)) test(name, run)
 * ```
 */
export type ConformanceCase = {
  readonly name: string
  readonly run: () => Promise<void>
}

/** What a suite gets to examine, once per case. */
export type Examined<T> = {
  readonly subject: T
  /** Ends what was started for it. */
  readonly end?: () => Promise<void>
}

/** An implementation does not keep a claim of its port. */
export class NonconformantError extends MemoError {
  override readonly name: string = 'NonconformantError'
  constructor(message: string) {
    super(message, { blame: 'us', retry: 'never', fix: 'Mend the implementation of the port (spec/ports.md).' })
  }
}

/** Cases that create and end what they examine. */
export function casesOf<E extends Examined<unknown>>(
  name: string,
  create: () => Promise<E>,
  claims: Readonly<Record<string, (subject: E['subject'], examined: E) => Promise<void>>>,
): ConformanceCase[] {
  return Object.entries(claims).map(([claim, check]) => ({
    name: `${name}: ${claim}`,
    run: async () => {
      const examined = await create()
      try {
        await check(examined.subject, examined)
      } finally {
        await examined.end?.()
      }
    },
  }))
}

/** Throws {@link NonconformantError} unless `condition` holds. */
export function claim(condition: unknown, message: string): asserts condition {
  if (!condition) throw new NonconformantError(message)
}

export function claimEqual(actual: unknown, expected: unknown, what: string): void {
  const [seen, wanted] = [show(actual), show(expected)]
  claim(seen === wanted, `${what}: ${seen}, not ${wanted}`)
}

export function claimBytes(actual: Uint8Array | undefined, expected: Uint8Array, what: string): void {
  const same = actual !== undefined && equalBytes(actual, expected)
  claim(same, `${what}: ${actual?.length ?? 'no'} bytes, which are not the ${expected.length} expected ones`)
}

/** That `work` rejects with a MemoError; gives it. */
export async function claimFails(work: Promise<unknown>, what: string): Promise<MemoError> {
  const error = await rejectionOf(work, what)
  claim(error instanceof MemoError, `${what}: rejected with ${String(error)}, which is no MemoError`)
  return error
}

/** That `work` rejects; gives the reason. */
export async function rejectionOf(work: Promise<unknown>, what: string): Promise<unknown> {
  try {
    await work
  } catch (error) {
    return error
  }
  throw new NonconformantError(`${what}: it did not fail`)
}

/** Bytes that depend on `label` and place, so that what is swapped or cut off shows. */
export function patternBytes(length: number, label = 0): Uint8Array {
  let state = (label * 2_654_435_761 + 12_345) >>> 0
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 24
  })
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? `${inner}n` : inner)) ?? 'undefined'
}
