import {
  type Address,
  BadInputError,
  type Clock,
  type IndexStore,
  isCount,
  MAX_HASHCASH_BITS,
  type Turns,
} from '@memo/core'
import type { GatewayContext } from '../context.ts'
import { openApplications } from './applications.ts'
import { createHourLimit } from './hour-limit.ts'
import { createStamps } from './stamps.ts'

/** What strangers may ask of a gateway, and what it costs them. */
export type ApplyLimits = {
  /** Zero bits of a stamp; each doubles the work. */
  readonly hashcashBits: number
  /** DIDs whose creation the gateway pays for. */
  readonly didsPerHour: number
  readonly applicationsPerHour: number
}

export const DEFAULT_APPLY: ApplyLimits = { hashcashBits: 20, didsPerHour: 60, applicationsPerHour: 120 }

/** Errors: BadInputError for bits that nobody could find. */
export function createApply(ports: {
  readonly store: IndexStore
  readonly clock: Clock
  readonly turns: Turns
  readonly chainId: number
  readonly account: Address
  readonly limits: ApplyLimits
}): GatewayContext['apply'] {
  const { clock, limits } = ports
  if (!isCount(limits.hashcashBits, 0, MAX_HASHCASH_BITS)) {
    throw new BadInputError(`stamps have 0 to ${MAX_HASHCASH_BITS} bits`)
  }
  return {
    stamps: createStamps({ ...ports, bits: limits.hashcashBits }),
    applications: openApplications(ports),
    didLimit: createHourLimit(clock, limits.didsPerHour, 'DIDs'),
    applicationLimit: createHourLimit(clock, limits.applicationsPerHour, 'applications'),
  }
}
