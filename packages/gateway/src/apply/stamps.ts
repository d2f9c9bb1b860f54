import {
  type Address,
  type Clock,
  findBytesFromHex,
  HASHCASH_BUCKET_SECONDS,
  type HashcashPurpose,
  hashcashChallenge,
  hexFromBytes,
  type IndexStore,
  isHashcash,
  utf8,
} from '@memo/core'
import { ApiError } from '../errors.ts'
import type { Turns } from '../turns.ts'

/** Stamps of work, each good once (`spec/gateway.md` 17). */
export type Stamps = {
  readonly bits: number
  /** What to stamp now. */
  issue(purpose: HashcashPurpose, subject: string): { readonly challenge: string; readonly expires: number }
  /** Uses a stamp up, durably. Errors: {@link ApiError} 401. */
  use(purpose: HashcashPurpose, subject: string, stamp: unknown): Promise<void>
}

const PREFIX = 'stamp/'
const BUCKET_DIGITS = 12
/** Stamps of earlier buckets that are forgotten with each new one. */
const FORGOTTEN_AT_ONCE = 20

export function createStamps(ports: {
  readonly store: IndexStore
  readonly clock: Clock
  readonly turns: Turns
  readonly chainId: number
  readonly account: Address
  readonly bits: number
}): Stamps {
  const { store, clock, turns, chainId, account, bits } = ports
  const bucketNow = () => Math.floor(clock.nowMs() / 1000 / HASHCASH_BUCKET_SECONDS)
  const challengeOf = (purpose: HashcashPurpose, subject: string, bucket: number) =>
    hexFromBytes(hashcashChallenge({ chainId, gateway: account, purpose, subject, bucket }))
  /** Challenges of earlier buckets are refused for their age, so their stamps need no memory. */
  const forget = async (bucket: number) => {
    const end = `${PREFIX}${padded(bucket - 1)}`
    const old = await store.list({ prefix: PREFIX, limit: FORGOTTEN_AT_ONCE })
    return old.filter(({ key }) => key < end).map(({ key }) => ({ key }))
  }
  return {
    bits,
    issue(purpose, subject) {
      const bucket = bucketNow()
      // One begun at the end of a bucket is good for all of the next one.
      return { challenge: challengeOf(purpose, subject, bucket), expires: (bucket + 2) * HASHCASH_BUCKET_SECONDS }
    },
    async use(purpose, subject, stamp) {
      const { challenge, counter } = (stamp ?? {}) as { readonly challenge?: unknown; readonly counter?: unknown }
      const bytes = findBytesFromHex(challenge, 32)
      if (!bytes || typeof counter !== 'number') {
        throw new ApiError(401, 'a stamp is {"challenge": 0x…, "counter": number}; GET /hashcash gives a challenge')
      }
      const now = bucketNow()
      const bucket = [now, now - 1].find((one) => challengeOf(purpose, subject, one) === hexFromBytes(bytes))
      if (bucket === undefined) {
        throw new ApiError(401, 'the stamp is for another purpose, subject or gateway, or has expired')
      }
      if (!isHashcash(bytes, counter, bits)) throw new ApiError(401, `the stamp has fewer than ${bits} bits`)
      await turns('stamps', async () => {
        const key = `${PREFIX}${padded(bucket)}/${hexFromBytes(bytes)}/${counter}`
        if (await store.get(key)) throw new ApiError(401, 'the stamp was used before')
        await store.apply([{ key, value: utf8('1') }, ...(await forget(now))])
      })
    },
  }
}

function padded(bucket: number): string {
  return String(bucket).padStart(BUCKET_DIGITS, '0')
}
