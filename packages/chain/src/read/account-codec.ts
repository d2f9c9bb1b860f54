import { type Account, type AccountState, assert, type Role } from '@memo/core'
import type { Address } from 'viem'
import { canonicalAddress } from '../addresses.ts'

/** The order of the enum in RoleTypes.sol. */
export const roles: readonly Role[] = ['none', 'user', 'provider', 'keeper']

/** The order of the enum in RoleTypes.sol; 'none' there means that there is no account. */
const states: readonly (AccountState | 'none')[] = [
  'none',
  'registered',
  'active',
  'suspended',
  'exiting',
  'exited',
  'banned',
]

const WEB_PROTOCOLS: readonly string[] = ['http:', 'https:']

/** An account as the role contract returns it. */
export type RawAccount = {
  readonly owner: Address
  readonly index: number
  readonly group: number
  readonly role: number
  readonly state: number
  readonly offer: {
    readonly capacityBytes: bigint
    readonly storagePriceAttoPerGiBSecond: bigint
    readonly retrievalPriceAttoPerByte: bigint
  }
  readonly contact: { readonly endpoint: string; readonly operatorLabel: string; readonly region: string }
}

/** The account, or undefined where the contract says that there is none. */
export function accountFromRaw(raw: RawAccount): Account | undefined {
  const role = roles[raw.role]
  const state = states[raw.state]
  assert(role !== undefined && state !== undefined, `role ${raw.role} or state ${raw.state} is not in RoleTypes.sol`)
  if (role === 'none' || state === 'none') return undefined
  return {
    address: canonicalAddress(raw.owner),
    index: raw.index,
    role,
    state,
    group: raw.group,
    endpoint: baseUrl(raw.contact.endpoint),
    operator: raw.contact.operatorLabel,
    region: raw.contact.region,
    capacityBytes: safeNumber(raw.offer.capacityBytes),
    storagePriceAttoPerGiBSecond: raw.offer.storagePriceAttoPerGiBSecond,
    retrievalPriceAttoPerByte: raw.offer.retrievalPriceAttoPerByte,
  }
}

/**
 * The URL of an endpoint, without slashes at its end; multiaddrs follow it after spaces (`spec/roles.md` 2). Empty where
 * it is no base URL: whoever registers one with a query or a fragment would choose what readers ask of other hosts.
 */
function baseUrl(endpoint: string): string {
  const [text = ''] = endpoint.trim().split(/\s+/, 1)
  const url = URL.parse(text)
  const isBase = url !== null && WEB_PROTOCOLS.includes(url.protocol) && !/[?#\\]/.test(text)
  return isBase && url.username === '' && url.password === '' ? text.replace(/\/+$/, '') : ''
}

/** What a provider claims beyond 2^53 bytes counts as 2^53 − 1: it cannot break readers. */
function safeNumber(value: bigint): number {
  const largest = BigInt(Number.MAX_SAFE_INTEGER)
  return Number(value > largest ? largest : value)
}
