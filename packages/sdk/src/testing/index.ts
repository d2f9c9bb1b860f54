/** Both sides of the wire in memory, with faults to order: for tests of what clients do about them. */
export { createWireKeeper, type KeeperFaults, type WireKeeper } from './wire-keeper.ts'
export { createWireProvider, type ProviderFaults, type WireProvider } from './wire-provider.ts'
