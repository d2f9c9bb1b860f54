import type { Address, EpochInfo, SignedVoucher } from '@memo/core'

/** A point of the chain up to which events were read. */
export type ChainMark = { readonly block: number; readonly hash: string }

/** What happened on the chain to a provider's money. */
export type MoneyEvent =
  | { readonly type: 'order-opened'; readonly orderId: bigint }
  | { readonly type: 'order-settled'; readonly orderId: bigint; readonly incomeAtto: bigint }
  | { readonly type: 'reads-paid'; readonly orderId: bigint; readonly amountAtto: bigint }
  | { readonly type: 'reads-closing'; readonly orderId: bigint; readonly payer: Address }

/** A stretch of events; those of orders of other providers may be among them, but for openings. */
export type MoneyEvents = {
  readonly events: readonly MoneyEvent[]
  /** What was read now reaches so far. */
  readonly mark: ChainMark
  /** Whether there is more to read at once. */
  readonly isLast: boolean
}

/** What a provider does with money on the chain. Everything waits for its block and takes a signal. */
export type ProviderMoney = {
  /** Whether the chain still has this block: it may have rewound. */
  stands(mark: ChainMark): Promise<boolean>
  /** Events after `after`, or from the beginning; a stretch at a time. */
  readEvents(after: ChainMark | undefined, signal: AbortSignal): Promise<MoneyEvents>
  /** Where the chain is now. */
  getEpochs(): Promise<EpochInfo>
  /** Pays out the epochs of an order that are beyond dispute, as many as one call takes. */
  settleOrder(orderId: bigint, signal: AbortSignal): Promise<void>
  /** Records that the epoch of now has begun: without it no dispute window closes on a quiet chain. */
  pinEpoch(signal: AbortSignal): Promise<void>
  /** The newest block, not older than what else was read: how deep a payment lies is counted in blocks. */
  getBlockNumber(): Promise<number>
  /** What a unit of gas costs now, in wei. */
  getGasPriceWei(): Promise<bigint>
  /** Whether an account is a contract: no key signs for it. */
  isContract(account: Address): Promise<boolean>
  redeemReads(voucher: SignedVoucher, signal: AbortSignal): Promise<void>
  /** What the provider may withdraw. */
  getFreeEscrowAtto(): Promise<bigint>
}
