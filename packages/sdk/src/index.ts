export type { CheckpointChain, CheckpointCost, CheckpointSlot } from './checkpoint/chain.ts'
export type { CheckpointFault, SlotProgress } from './checkpoint/read.ts'
export { OwnerKeyUnknownError } from './checkpoint/readers.ts'
export type { CheckpointOptions, CheckpointResult, UncoveredChanges } from './checkpoint/write.ts'
export type { ChunkOpener, ReaderKeys, StoragePorts, StripeEncoder, StripeOutput } from './context.ts'
export {
  BrokenLogError,
  CidMismatchError,
  EntryRefusedError,
  KeepersUnreachableError,
  type NodeFault,
  NotDurableError,
  NotEnoughPiecesError,
  NotEnoughProvidersError,
  StorageClosedError,
  UploadFailedError,
} from './errors.ts'
export type { MemoryBudget, StorageMemory } from './flow/memory.ts'
export {
  createGatewayClient,
  type GatewayClient,
  type GatewayClientOptions,
  type GatewayDownload,
  type GatewayDownloadOptions,
  type GatewayObject,
  type GatewayQuota,
  type GatewayUploadOptions,
} from './gateway/client.ts'
export { restrictedDigest } from './gateway/digests.ts'
export { BadGatewayAnswerError, errorOfGateway, GatewayError, readGatewayJson } from './gateway/errors.ts'
export { type GatewayQuotaKind, VoucherLimitError, type VoucherPolicy } from './gateway/vouchers.ts'
export type { ListOptions, StoredObject } from './index/objects.ts'
export type { Removal } from './index/remove.ts'
export { DEFAULT_LIMITS, type StorageLimits } from './limits.ts'
export { UnknownProviderError } from './nodes/directory.ts'
export { createOrders, type OrderStatus, type Orders, type OrdersOptions, type OrdersStatus } from './orders/book.ts'
export {
  EscrowTooSmallError,
  NoRoomError,
  OrderLapsedError,
  OrderNotShownError,
  PriceTooHighError,
} from './orders/errors.ts'
export type { OrderEvent } from './orders/events.ts'
export type { OrderMoney } from './orders/money.ts'
export type { OrderBook, OrderLease } from './orders/order-book.ts'
export { DEFAULT_ORDER_POLICY, type OrderPolicy } from './orders/policy.ts'
export type { ReadAccount, ReadPayment, ReadsStatus } from './orders/reads.ts'
export type { DeletedPiece } from './put/discard.ts'
export type { PutOptions, PutResult, StageEvent } from './put/options.ts'
export { TooSlowError } from './put/piece-sender.ts'
export { CID_PROFILE_KEY, DEFAULT_POLICY } from './put/put.ts'
export type { PieceTally, SweepOptions, SweepResult } from './put/sweep.ts'
export type { ObjectExpiry } from './read/expiry.ts'
export type { ReadOptions } from './read/read.ts'
export { NoCheckpointError, type RestoredObject, type RestoreOptions, type RestoreReport } from './read/restore.ts'
export type { PieceStatus } from './read/status.ts'
export { createStorage, type Storage, type StorageOptions } from './storage.ts'
