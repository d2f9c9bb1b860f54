/**
 * Providers and keepers. `createProvider` and `createKeeper` are handlers over the ports of `@memo/core`, so that a
 * network of them also runs in one process under simulated time; the daemons put them on sockets, disks and a chain.
 */
export {
  type KeeperDaemonOptions,
  type NodeDaemonOptions,
  type ProviderDaemonOptions,
  runKeeperDaemon,
  runProviderDaemon,
} from './daemon/run-daemon.ts'
export type { EventLevel, EventSink, NodeEvent } from './events.ts'
export { DidDeactivatedError, PartMissingError, ReceiptRefusedError, UnknownDidError } from './keeper/admission.ts'
export type { KeeperMoney } from './keeper/fees.ts'
export { createKeeper, type Keeper, type KeeperOptions } from './keeper/keeper.ts'
export { KEEPER_LIMITS, type KeeperLimits } from './keeper/limits.ts'
export { PieceLostError, RootMismatchError } from './provider/custody.ts'
export { PROVIDER_LIMITS, type ProviderLimits } from './provider/limits.ts'
export { CommitmentMismatchError, OrderRefusedError, PaymentRequiredError } from './provider/money-errors.ts'
export type { ChainMark, MoneyEvent, MoneyEvents, ProviderMoney } from './provider/money-port.ts'
export { createProvider, type Provider, type ProviderOptions } from './provider/provider.ts'
export { NoSpaceError } from './provider/space.ts'
export { UploadEndedError } from './provider/uploads.ts'
export { BusyError, ForbiddenError, NodeFaultError, type NodeRole, NotServingError } from './server/errors.ts'
