import type { MemoChain } from '@memo/chain'
import type { Address, Chain } from '@memo/core'
import type { MemoDid } from '@memo/did'
import type { Orders, Storage } from '@memo/sdk'
import type { Applications } from './apply/applications.ts'
import type { HourLimit } from './apply/hour-limit.ts'
import type { Stamps } from './apply/stamps.ts'
import type { Sessions } from './auth/sessions.ts'
import type { GatewayEventSink } from './events.ts'
import type { Cashier } from './quota/cashier.ts'
import type { PublicReads } from './quota/public-reads.ts'
import type { Quota } from './quota/quota.ts'
import type { Readiness } from './readiness.ts'
import type { SignedRequests } from './signed-requests.ts'
import type { ObjectTable } from './store/objects.ts'
import type { Turnstile } from './turnstile.ts'

/** What the routes answer from. */
export type GatewayContext = {
  readonly sessions: Sessions
  readonly objects: ObjectTable
  readonly storage: Storage
  /** Pays for what is stored and read; absent where nothing is paid. */
  readonly orders: Orders | undefined
  readonly chain: Chain
  readonly readiness: Readiness
  /** The chain with the gateway's account as its sender. */
  readonly contracts: MemoChain
  readonly apply: {
    readonly stamps: Stamps
    readonly applications: Applications
    readonly didLimit: HourLimit
    readonly applicationLimit: HourLimit
  }
  readonly quota: Quota
  readonly cashier: Cashier
  /** Checks requests that are signed by an account, as between nodes. */
  readonly requests: SignedRequests
  /** DIDs that may do what the gateway's operator may. */
  readonly adminDids: ReadonlySet<string>
  /** Reads of public objects are charged to their owner's traffic. */
  readonly isPublicReadCharged: boolean
  /** What is read of them where it is charged to nobody. */
  readonly publicReads: PublicReads
  /** Lets uploads in, a few at a time. */
  readonly uploads: Turnstile
  /** The gateway's own account and key pair, a reader of every manifest it writes. */
  readonly account: Address
  readonly publicKey: Uint8Array
  /** Redundancy of new objects, such as `rs:4+2`. */
  readonly policy: string
  /** Extra facts for `GET /info`. */
  readonly about: Readonly<Record<string, unknown>>
  readonly log: GatewayEventSink
  /** Does something that no answer waits for, and that a stop does. */
  background(work: () => Promise<void>): void
  /** Throws while another gateway writes with the same key (`spec/gateway.md` 19). */
  assertAlone(): void
  /** Throws while the table may not say all of this DID (`spec/gateway.md` 10). */
  assertRestored(did: MemoDid): void
}
