/**
 * Providers and keepers. `createProvider` and `createKeeper` are handlers over the ports of `@memo/core`, so that a
 * network of them also runs in one process under simulated time; the daemons put them on sockets, disks and a chain.
 */
export type { EventLevel, EventSink, NodeEvent } from './events.ts'
export { PROVIDER_LIMITS, type ProviderLimits } from './provider/limits.ts'
export { createProvider, type Provider, type ProviderOptions } from './provider/provider.ts'
export {
  assertServes,
  BannedError,
  NoRoleError,
  NotActiveError,
  SuspendedError,
  WrongRoleError,
} from './role-gate.ts'
export { BusyError, ForbiddenError, NodeFaultError, type NodeRole, NotServingError } from './server/errors.ts'
