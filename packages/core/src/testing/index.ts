/**
 * For tests and simulations: every port in memory, the same for one seed, with faults to order; and for each port the
 * suite that all of its implementations pass (`spec/ports.md`).
 */
export { InjectedFaultError } from './injected-fault.ts'
export {
  createMemoryDisk,
  createMemoryIndexStore,
  createMemoryPieceStore,
  type DiskFault,
  type DiskOperation,
  type MemoryDisk,
  type MemoryDiskOptions,
} from './memory-disk.ts'
export { createMemoryKeyStore, createMemoryKeyVault, type MemoryKeyVault } from './memory-key-store.ts'
export {
  createMemoryNetwork,
  type Link,
  type ListenOptions,
  type MemoryNetwork,
  type MemoryNetworkOptions,
} from './memory-network.ts'
export {
  createScriptedChain,
  didRecordOf,
  type ScriptedChain,
  type ScriptedChainOptions,
  TEST_MONEY,
  TEST_NETWORK,
} from './scripted-chain.ts'
export { createSeededRandomness, type SeededRandomness } from './seeded.ts'
export { type ConformanceCase, type Examined, NonconformantError } from './suites/case.ts'
export { describeIndexStore, type ExaminedIndexStore } from './suites/index-store.ts'
export { describeKeyStore, type ExaminedKeyStore } from './suites/key-store.ts'
export { describePieceStore, type ExaminedPieceStore } from './suites/piece-store.ts'
export { describeClock, describeRandomness, describeTimers, type ExaminedTimers } from './suites/time.ts'
export { describeTransport, type ExaminedTransport } from './suites/transport.ts'
export { createTrace, type Trace } from './trace.ts'
export { createVirtualTime, StalledError, type VirtualTime } from './virtual-time.ts'
