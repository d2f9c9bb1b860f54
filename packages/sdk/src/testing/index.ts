/** Both sides of the wire in memory, with faults to order: for tests of what clients do about them. */

export { createMemoryCheckpoints, type MemoryCheckpoints } from './memory-checkpoints.ts'
export { createScriptedMoney, type ScriptedMoney } from './scripted-money.ts'
export { createWireKeeper, type KeeperFaults, type WireKeeper } from './wire-keeper.ts'
export type { OrderFaults, WireOrders } from './wire-orders.ts'
export { createWireProvider, type ProviderFaults, type WireProvider } from './wire-provider.ts'
