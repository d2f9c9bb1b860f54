import { MemoError } from '../errors/index.ts'

/** Fewest data shards of a code (`spec/erasure.md` 3). */
export const MIN_DATA_SHARDS = 1

/** Fewest parity shards of a code (`spec/erasure.md` 3). */
export const MIN_PARITY_SHARDS = 1

/** Most data and parity shards together: each shard has its own element of GF(2^8) (`spec/erasure.md` 3). */
export const MAX_TOTAL_SHARDS = 256

/** How many shards a code has: any `dataShards` of all of them give back the data. */
export type ErasurePolicy = {
  readonly dataShards: number
  readonly parityShards: number
}

/** A policy that no code can have: text of another form, or shard counts outside the limits. */
export class InvalidErasurePolicyError extends MemoError {
  override readonly name: string = 'InvalidErasurePolicyError'
  constructor(message: string, details: Readonly<Record<string, unknown>>) {
    super(message, {
      blame: 'user',
      retry: 'never',
      fix: `Write rs:k+m with k >= ${MIN_DATA_SHARDS}, m >= ${MIN_PARITY_SHARDS} and k + m <= ${MAX_TOTAL_SHARDS}, such as rs:4+2.`,
      details,
    })
  }
}

// No sign, no leading zero, at most three digits: one text per policy, and no long text into an error.
const FORM = /^rs:([1-9][0-9]{0,2})\+([1-9][0-9]{0,2})$/
const MAX_QUOTED_CHARACTERS = 32

/**
 * The shard counts that `rs:k+m` names (`spec/erasure.md` 3).
 *
 * @throws {@link InvalidErasurePolicyError} when the text is of another form or the counts are outside the limits
 * @example
 * ```ts
 * const { dataShards, parityShards } = parseErasurePolicy('rs:4+2') // 4, 2
 * ```
 */
export function parseErasurePolicy(text: string): ErasurePolicy {
  const match = FORM.exec(text)
  if (match === null) {
    const quoted = String(text).slice(0, MAX_QUOTED_CHARACTERS)
    throw new InvalidErasurePolicyError(`"${quoted}" is not an erasure policy`, { policy: quoted })
  }
  const policy = { dataShards: Number(match[1]), parityShards: Number(match[2]) }
  assertErasurePolicy(policy)
  return policy
}

/** The text of a policy, such as `rs:4+2`: what {@link parseErasurePolicy} reads. */
export function formatErasurePolicy(policy: ErasurePolicy): string {
  assertErasurePolicy(policy)
  return `rs:${policy.dataShards}+${policy.parityShards}`
}

/** Throws {@link InvalidErasurePolicyError} unless the counts are whole and within the limits (`spec/erasure.md` 3). */
export function assertErasurePolicy({ dataShards, parityShards }: ErasurePolicy): void {
  const isWhole = Number.isInteger(dataShards) && Number.isInteger(parityShards)
  const isEnough = dataShards >= MIN_DATA_SHARDS && parityShards >= MIN_PARITY_SHARDS
  if (isWhole && isEnough && dataShards + parityShards <= MAX_TOTAL_SHARDS) return
  throw new InvalidErasurePolicyError(`no erasure code has ${dataShards} data and ${parityShards} parity shards`, {
    dataShards,
    parityShards,
  })
}
