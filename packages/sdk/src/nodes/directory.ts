import {
  type Account,
  type Address,
  type Chain,
  type ClientPorts,
  createKeeperClient,
  createProviderClient,
  type KeeperClient,
  MemoError,
  type ProviderClient,
} from '@memo/core'
import { KeepersUnreachableError } from '../errors.ts'

/** How long what the chain said of nodes is believed. */
const DIRECTORY_MS = 15_000
/** The connection is not at fault where the chain answers and shows none. */
const NONE_FIX =
  'Check that --registry and --rpc name the network that is meant. A new network, or one whose chain rewound, has keepers again once they have registered and pledged; then try again.'
/** Accounts that are remembered: placements name whom they like. */
const MAX_ACCOUNTS = 4_096

/** An address has no provider that could be asked. */
export class UnknownProviderError extends MemoError {
  override readonly name: string = 'UnknownProviderError'
  constructor(address: Address, why: string) {
    super(`there is no provider ${address} to ask: ${why}`, {
      blame: 'provider',
      retry: 'later',
      details: { provider: address },
    })
  }
}

/** The nodes of the network, by what the chain says of them. */
export type Directory = {
  /** Active keepers. Errors: {@link KeepersUnreachableError} when there is none. */
  listKeepers(): Promise<readonly KeeperClient[]>
  /** Any provider that ever registered, for reading. Errors: {@link UnknownProviderError}. */
  getProvider(address: Address): Promise<ProviderClient>
  /** A provider that may take new pieces. Errors: {@link UnknownProviderError}. */
  getActiveProvider(address: Address): Promise<ProviderClient>
}

export function createDirectory(ports: ClientPorts, chain: Chain): Directory {
  const accounts = new Map<Address, { readonly untilMs: number; readonly account: Account | undefined }>()
  let keepers: { readonly untilMs: number; readonly clients: readonly KeeperClient[] } | undefined

  const findAccount = async (address: Address) => {
    const known = accounts.get(address)
    if (known && known.untilMs > ports.clock.nowMs()) return known.account
    const account = await chain.findAccount(address)
    accounts.delete(address) // and added again: the one read longest ago comes first
    accounts.set(address, { untilMs: ports.clock.nowMs() + DIRECTORY_MS, account })
    const [oldest] = accounts.keys()
    if (accounts.size > MAX_ACCOUNTS && oldest !== undefined) accounts.delete(oldest)
    return account
  }
  const getAccount = async (address: Address) => {
    const account = await findAccount(address)
    if (account?.role !== 'provider') throw new UnknownProviderError(address, 'no provider is registered there')
    if (account.endpoint === '') throw new UnknownProviderError(address, 'it has no endpoint')
    return account
  }

  return {
    async listKeepers() {
      if (keepers && keepers.untilMs > ports.clock.nowMs()) return keepers.clients
      const active = (await chain.listKeepers()).filter((keeper) => keeper.state === 'active' && keeper.endpoint !== '')
      if (active.length === 0)
        throw new KeepersUnreachableError('anything: none is registered and active', [], NONE_FIX)
      const clients = active.map(({ address, endpoint }) => createKeeperClient(ports, { address, endpoint }))
      keepers = { untilMs: ports.clock.nowMs() + DIRECTORY_MS, clients }
      return clients
    },
    async getProvider(address) {
      const { endpoint } = await getAccount(address)
      return createProviderClient(ports, { address, endpoint })
    },
    async getActiveProvider(address) {
      const { endpoint, state } = await getAccount(address)
      if (state !== 'active') throw new UnknownProviderError(address, `it is ${state}`)
      return createProviderClient(ports, { address, endpoint })
    },
  }
}
