import type { Address } from '../bytes/index.ts'
import { MemoError } from '../errors/index.ts'

/** An account sent more signed requests than a node remembers of one, or all sent more than it remembers at all. */
export class TooManyRequestsError extends MemoError {
  override readonly name: string = 'TooManyRequestsError'
  constructor(whose: string) {
    super(`too many signed requests ${whose} within two minutes`, {
      blame: 'user',
      retry: 'later',
      fix: 'Send fewer, and again in a minute.',
    })
  }
}

/** How many nonces are remembered at once. */
export type NonceLimits = {
  readonly perAccount: number
  /** From here on an account adds to its own only as long as they are fewer than an equal share. */
  readonly fair: number
  /** Past it a request is refused, rather than let one be used twice. */
  readonly all: number
}

const NONCE_LIMITS: NonceLimits = { perAccount: 50_000, fair: 200_000, all: 250_000 }

/** Nonces that were used and have not expired (`spec/wire.md` 3). */
export type UsedNonces = {
  has(nonce: string): boolean
  /** Errors: {@link TooManyRequestsError}. */
  add(nonce: string, expiry: number, account: Address): void
  /** Takes one from before a restart, whoever’s it was. */
  restore(nonce: string, expiry: number): void
  /** Forgets what expired before `second`, the oldest first. */
  forgetBefore(second: number): void
}

type Entry = { readonly nonce: string; readonly account: Address | undefined }

export function createUsedNonces({ perAccount, fair, all }: NonceLimits = NONCE_LIMITS): UsedNonces {
  const known = new Set<string>()
  /** By the second in which they expire: requests live for two minutes, so these are few. */
  const byExpiry = new Map<number, Entry[]>()
  const counts = new Map<Address, number>()

  const put = (nonce: string, expiry: number, account: Address | undefined) => {
    known.add(nonce)
    const same = byExpiry.get(expiry)
    if (same) same.push({ nonce, account })
    else byExpiry.set(expiry, [{ nonce, account }])
  }
  const forget = ({ nonce, account }: Entry) => {
    known.delete(nonce)
    if (!account) return
    const left = (counts.get(account) ?? 0) - 1
    if (left > 0) counts.set(account, left)
    else counts.delete(account)
  }
  return {
    has: (nonce) => known.has(nonce),
    add(nonce, expiry, account) {
      const own = counts.get(account) ?? 0
      if (own >= perAccount) throw new TooManyRequestsError('of this account')
      const accounts = counts.size + (own === 0 ? 1 : 0)
      if (known.size >= all || (known.size >= fair && own >= fair / accounts)) throw new TooManyRequestsError('of all')
      counts.set(account, own + 1)
      put(nonce, expiry, account)
    },
    restore: (nonce, expiry) => put(nonce, expiry, undefined),
    forgetBefore(second) {
      for (const [expiry, entries] of byExpiry) {
        if (expiry >= second) continue
        byExpiry.delete(expiry)
        for (const entry of entries) forget(entry)
      }
    },
  }
}
