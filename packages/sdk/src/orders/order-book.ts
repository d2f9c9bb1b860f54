import type { Address, Receipt } from '@memo/core'
import type { ReadAccount } from './reads.ts'

/** Room under an order for one piece that is on its way to its provider. */
export type OrderLease = {
  readonly orderId: number
  /** The provider holds the piece: it stands in the next commitment. */
  stored(receipt: Receipt): void
  /** The piece did not come about; `refusal` is what its provider said, if it said something. After `stored`, nothing. */
  release(refusal?: unknown): void
}

/** What a storage asks of whoever pays for it (`spec/sdk.md` 15 to 19). Without one it stores under order 0 and reads unpaid. */
export type OrderBook = {
  /**
   * Room for a piece with a provider; opens or grows an order where there is too little, and waits for that. Errors:
   * `EscrowTooSmallError`; those of the provider, which are its own; those of the chain.
   */
  ensure(provider: Address, bytes: number, signal: AbortSignal): Promise<OrderLease>
  /** Throws {@link ensure}'s `EscrowTooSmallError` where nothing can be paid at all, before anybody is asked. */
  assertSolvent(signal: AbortSignal): Promise<void>
  /** A provider gave a piece up that this account had stored there. Durable when it resolves. */
  noteRemoved(provider: Address, root: Uint8Array): Promise<void>
  /** Whether the piece is held under an order of this account; undefined while the provider's view was not read after a crash. */
  holds(provider: Address, root: Uint8Array): Promise<boolean | undefined>
  /** The order under which what this one held lies now: another one, where it was over. */
  latestOf(orderId: number): Promise<number>
  /** An account for one call that reads, which pays for at most so many bytes. */
  reads(budgetBytes: number): ReadAccount
}
