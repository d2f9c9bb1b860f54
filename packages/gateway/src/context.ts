import type { Address, Chain, Clock, Randomness } from '@memo/core'
import type { Storage } from '@memo/sdk'
import type { Sessions } from './auth/sessions.ts'
import type { ObjectTable } from './store/objects.ts'

/** What the routes answer from. */
export type GatewayContext = {
  readonly sessions: Sessions
  readonly objects: ObjectTable
  readonly storage: Storage
  readonly chain: Chain
  readonly clock: Clock
  readonly random: Randomness
  /** The gateway's own account and key pair, a reader of every manifest it writes. */
  readonly account: Address
  readonly publicKey: Uint8Array
  /** Redundancy of new objects, such as `rs:4+2`. */
  readonly policy: string
  /** Extra facts for `GET /info`. */
  readonly about: Readonly<Record<string, unknown>>
}
