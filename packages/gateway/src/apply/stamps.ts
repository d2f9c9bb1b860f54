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
  type Turns,
  textFromUtf8,
  utf8,
} from '@memo/core'
import { ApiError } from '../errors.ts'

/** Stamps of work, each good once (`spec/gateway.md` 17). */
export type Stamps = {
  readonly bits: number
  /** What to stamp now, and until when the stamp is good, in unix seconds. */
  issue(purpose: HashcashPurpose, subject: string): Promise<{ readonly challenge: string; readonly expires: number }>
  /** Uses a stamp up, durably. Errors: {@link ApiError} 401. */
  use(purpose: HashcashPurpose, subject: string, stamp: unknown): Promise<void>
}

const PREFIX = 'stamp/'
const BUCKET_DIGITS = 12
/** Counts of earlier buckets that are forgotten with each stamp. */
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
  const keyOf = (purpose: HashcashPurpose, subject: string, bucket: number) =>
    `${PREFIX}${padded(bucket)}/${purpose}/${subject}`
  const countUsed = async (key: string): Promise<number> => {
    const count = await store.get(key)
    return count ? Number(textFromUtf8(count)) : 0
  }
  const challengeOf = async (purpose: HashcashPurpose, subject: string, bucket: number): Promise<string> => {
    const series = await countUsed(keyOf(purpose, subject, bucket))
    return hexFromBytes(hashcashChallenge({ chainId, gateway: account, purpose, subject, bucket, series }))
  }
  /** Challenges of earlier buckets are refused for their age, so what was used of them needs no memory. */
  const listForgettable = async (bucket: number) => {
    const end = `${PREFIX}${padded(bucket - 1)}`
    const old = await store.list({ prefix: PREFIX, limit: FORGOTTEN_AT_ONCE })
    return old.filter(({ key }) => key < end).map(({ key }) => ({ key }))
  }
  return {
    bits,
    async issue(purpose, subject) {
      const bucket = bucketNow()
      // One begun at the end of a bucket is good for all of the next one.
      const expires = (bucket + 2) * HASHCASH_BUCKET_SECONDS
      return { challenge: await challengeOf(purpose, subject, bucket), expires }
    },
    async use(purpose, subject, stamp) {
      const { challenge, counter } = (stamp ?? {}) as { readonly challenge?: unknown; readonly counter?: unknown }
      const bytes = findBytesFromHex(challenge, 32)
      if (!bytes || typeof counter !== 'number') {
        throw new ApiError(401, 'a stamp is {"challenge": 0x…, "counter": number}; GET /hashcash gives a challenge')
      }
      if (!isHashcash(bytes, counter, bits)) throw new ApiError(401, `the stamp has fewer than ${bits} bits`)
      await turns('stamps', async () => {
        const now = bucketNow()
        for (const bucket of [now, now - 1]) {
          if ((await challengeOf(purpose, subject, bucket)) !== hexFromBytes(bytes)) continue
          const key = keyOf(purpose, subject, bucket)
          const value = utf8(`${(await countUsed(key)) + 1}`)
          return await store.apply([{ key, value }, ...(await listForgettable(now))])
        }
        throw new ApiError(401, 'the stamp was used before, has expired, or is for another purpose, subject or gateway')
      })
    },
  }
}

function padded(bucket: number): string {
  return String(bucket).padStart(BUCKET_DIGITS, '0')
}
