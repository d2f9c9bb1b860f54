import type { Account, Address, Chain, PieceStore } from '@memo/core'
import type { ByteAccounts } from './byte-accounts.ts'
import type { SpaceFacts, SpaceLedger } from './space.ts'

/** What a provider can still take, as the chain and its disk have it. */
export type Room = {
  /** The account, and what bounds its space; undefined while the chain does not count it as an active provider. */
  find(): Promise<{ readonly account: Account; readonly facts: SpaceFacts } | undefined>
  /** What an upload under an order meets: the chain counts its size against the capacity, so that only the disk is left. */
  findSold(): Promise<SpaceFacts | undefined>
  /** What is left when all that orders have bought is kept free for them (`spec/provider.md` 14). */
  findUnsold(): Promise<SpaceFacts | undefined>
  /** Bytes that may be sold, or stored without an order. */
  unsoldBytes(): Promise<number>
}

export type RoomOptions = {
  readonly chain: Chain
  readonly self: Address
  readonly pieces: PieceStore
  readonly space: SpaceLedger
  readonly accounts: ByteAccounts
}

export function createRoom({ chain, self, pieces, space, accounts }: RoomOptions): Room {
  const find: Room['find'] = async () => {
    const [account, diskFreeBytes] = await Promise.all([chain.findAccount(self), pieces.freeBytes()])
    if (account?.role !== 'provider' || account.state !== 'active') return undefined
    return { account, facts: { capacityBytes: account.capacityBytes, diskFreeBytes } }
  }
  const findUnsold: Room['findUnsold'] = async () => {
    const [found, liableBytes] = await Promise.all([find(), chain.getLiableBytes(self)])
    if (!found) return undefined
    const soldBytes = Math.max(0, Number(liableBytes) - accounts.paidBytes)
    const { capacityBytes, diskFreeBytes } = found.facts
    return { capacityBytes: capacityBytes - soldBytes, diskFreeBytes: diskFreeBytes - soldBytes }
  }
  return {
    find,
    async findSold() {
      const found = await find()
      return found && { ...found.facts, capacityBytes: Number.MAX_SAFE_INTEGER }
    },
    findUnsold,
    async unsoldBytes() {
      const facts = await findUnsold()
      return facts ? space.freeBytes(facts) : 0
    },
  }
}
