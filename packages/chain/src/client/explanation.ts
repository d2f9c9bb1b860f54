import type { Blame, Retry } from '@memo/core'

/** What a custom error of the contracts means to the one who met it. */
export type Explanation = {
  readonly says: string
  readonly blame: Blame
  readonly retry: Retry
  readonly fix?: string
}

/** The caller asked for what cannot be. */
export function caller(says: string, fix?: string): Explanation {
  return { says, blame: 'user', retry: 'never', ...(fix === undefined ? {} : { fix }) }
}

/** The caller asked too early. */
export function later(says: string, fix: string): Explanation {
  return { says, blame: 'user', retry: 'later', fix }
}

/** Our own software should not have asked. */
export function bug(says: string): Explanation {
  return { says, blame: 'us', retry: 'never' }
}
