import type { QuotaKind } from '@memo/chain'
import { type Clock, type IndexStore, NotFoundError, type Turns, textFromUtf8, utf8 } from '@memo/core'
import type { MemoDid } from '@memo/did'
import { ApiError } from '../errors.ts'

/** Somebody asks for free space or traffic. */
export type Application = {
  readonly id: number
  readonly type: QuotaKind
  readonly did: MemoDid
  /** What the applicant shows; no gateway ever fetches it. */
  readonly evidence: string
  readonly sizeBytes: number
  /** Unix seconds. */
  readonly createdAt: number
  /** `granting`: a transaction of the gateway may be under way. */
  readonly state: 'open' | 'granting' | 'granted' | 'refused'
  readonly grantedBytes?: string
  readonly tx?: string
  readonly reason?: string
  readonly decidedBy?: string
  readonly decidedAt?: number
  /** Who is about to grant it, and until when nobody else may; unix seconds. */
  readonly claimedBy?: string
  readonly claimedUntil?: number
}

export type NewApplication = Pick<Application, 'type' | 'did' | 'evidence' | 'sizeBytes'>
export type Decision = Pick<Application, 'state'> &
  Partial<Pick<Application, 'grantedBytes' | 'tx' | 'reason' | 'decidedBy'>> & {
    /** Whose decision it is: not while another has claimed it. Absent where the chain has decided. */
    readonly by?: string
  }

/** Applications, durable, oldest first (`spec/gateway.md` 20). */
export type Applications = {
  /** Errors: {@link ApiError} 518 where the DID has one open already, 503 when too many are. */
  add(application: NewApplication): Promise<Application>
  /** Errors: NotFoundError. */
  get(id: number): Promise<Application>
  list(after: number, limit: number): Promise<readonly Application[]>
  /**
   * Keeps an open one for `by`, who is about to grant it, for some minutes: of two who grant at once one comes first. Errors:
   * {@link ApiError} 518 for one that is not open, or that another has claimed.
   */
  claim(id: number, by: string): Promise<Application>
  /**
   * Decides one that is in one of `from`. A transaction grants one application. Errors: {@link ApiError} 518 for one that
   * is in another state or claimed by another, or whose transaction granted another.
   */
  decide(id: number, from: readonly Application['state'][], decision: Decision): Promise<Application>
}

const PREFIX = 'application/'
const NEXT = 'applications/next'
const OPEN_COUNT = 'applications/open'
const OPEN_PREFIX = 'applications/open-of/'
const TX_PREFIX = 'applications/tx/'
const ID_DIGITS = 12
/** Open ones; whoever decides works them off. */
const MAX_OPEN = 10_000
/** From the claim to the block that has the grant. */
const CLAIM_SECONDS = 600

export function openApplications(ports: {
  readonly store: IndexStore
  readonly clock: Clock
  readonly turns: Turns
}): Applications {
  const { store, clock, turns } = ports
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => await turns('applications', work)
  const nowSeconds = () => Math.floor(clock.nowMs() / 1000)
  const numberAt = async (key: string): Promise<number> => {
    const value = await store.get(key)
    return value ? Number(textFromUtf8(value)) : 0
  }
  const openKey = ({ did, type }: Pick<Application, 'did' | 'type'>) => `${OPEN_PREFIX}${did}/${type}`
  const record = (application: Application) => ({
    key: `${PREFIX}${padded(application.id)}`,
    value: utf8(JSON.stringify(application)),
  })
  const get = async (id: number): Promise<Application> => {
    const value = await store.get(`${PREFIX}${padded(id)}`)
    if (!value) throw new NotFoundError(`there is no application ${id}`)
    return decode(value)
  }
  const assertNotClaimed = ({ id, claimedBy, claimedUntil = 0 }: Application, by: string) => {
    if (claimedBy === undefined || claimedBy === by || claimedUntil <= nowSeconds()) return
    const until = new Date(claimedUntil * 1_000).toISOString()
    throw new ApiError(518, `application ${id} is being granted by ${claimedBy}, who has until ${until}`)
  }
  return {
    get,
    claim: async (id, by) =>
      await inTurn(async () => {
        const application = await get(id)
        if (application.state !== 'open') throw new ApiError(518, `application ${id} is ${application.state}`)
        assertNotClaimed(application, by)
        const claimed = { ...application, claimedBy: by, claimedUntil: nowSeconds() + CLAIM_SECONDS }
        await store.apply([record(claimed)])
        return claimed
      }),
    add: async (wanted) =>
      await inTurn(async () => {
        const [last, open] = [await numberAt(NEXT), await numberAt(OPEN_COUNT)]
        const known = await store.get(openKey(wanted))
        if (known) throw new ApiError(518, `application ${textFromUtf8(known)} of ${wanted.did} is not decided yet`)
        if (open >= MAX_OPEN) throw new ApiError(503, `${MAX_OPEN} applications wait for a decision`)
        const application: Application = { ...wanted, id: last + 1, createdAt: nowSeconds(), state: 'open' }
        await store.apply([
          record(application),
          { key: openKey(wanted), value: utf8(`${application.id}`) },
          { key: NEXT, value: utf8(`${application.id}`) },
          { key: OPEN_COUNT, value: utf8(`${open + 1}`) },
        ])
        return application
      }),
    async list(after, limit) {
      const page = await store.list({ prefix: PREFIX, after: `${PREFIX}${padded(after)}`, limit })
      return page.map(({ value }) => decode(value))
    },
    decide: async (id, from, { by, ...decision }) =>
      await inTurn(async () => {
        const application = await get(id)
        if (!from.includes(application.state)) throw new ApiError(518, `application ${id} is ${application.state}`)
        if (by !== undefined) assertNotClaimed(application, by)
        const { tx } = decision
        if (tx !== undefined && (await store.get(`${TX_PREFIX}${tx}`))) {
          throw new ApiError(518, `the transaction ${tx} granted another application`)
        }
        const decided = { ...application, ...decision, decidedAt: nowSeconds() }
        const isEnd = decision.state === 'granted' || decision.state === 'refused'
        const open = await numberAt(OPEN_COUNT)
        await store.apply([
          record(decided),
          ...(tx === undefined ? [] : [{ key: `${TX_PREFIX}${tx}`, value: utf8(`${id}`) }]),
          ...(isEnd ? [{ key: openKey(application) }, { key: OPEN_COUNT, value: utf8(`${open - 1}`) }] : []),
        ])
        return decided
      }),
  }
}

function decode(value: Uint8Array): Application {
  return JSON.parse(textFromUtf8(value)) as Application
}

function padded(id: number): string {
  return String(id).padStart(ID_DIGITS, '0')
}
