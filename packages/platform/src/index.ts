/**
 * What touches the world on Node: implementations of the ports of `@memo/core` over sockets, disks and the operating
 * system, and what long-running processes need besides (an HTTP server, a locked data directory).
 */
export { BudgetTooSmallError, type ByteBudget, type ByteLease, createByteBudget } from './byte-budget.ts'
export { createSystemClock, createSystemRandomness, createSystemTimers } from './clock.ts'
export {
  type DataDirectory,
  DataDirectoryError,
  DataDirectoryInUseError,
  lockDataDirectory,
} from './data-directory.ts'
export { DiskFaultError, DiskFullError, writeFileDurably } from './disk.ts'
export { type FilePieceStoreOptions, openFilePieceStore } from './file-piece-store.ts'
export { type ServedHandler, type ServeOptions, type ServerLimits, serveHandler } from './http-server.ts'
export { createHttpTransport, type HttpTransport, type HttpTransportOptions } from './http-transport.ts'
export { KeyExistsError, type KeyStoreOptions, LIGHT_SCRYPT_N, openKeyStore } from './key-store.ts'
export { ListenError, type Listener, listenHttp } from './listen.ts'
export { openSqliteIndexStore, StoreBusyError, StoreClosedError } from './sqlite-index-store.ts'
export {
  createStripePool,
  type PooledStripe,
  type StripePool,
  StripePoolBusyError,
  StripePoolClosedError,
  type StripePoolOptions,
} from './stripe-pool.ts'
export type { SealedChunks } from './stripe-pool-task.ts'
export { StripeThreadCrashedError } from './stripe-pool-thread.ts'
export { BadKeyFileError, decryptKeyFile, encryptKeyFile, WrongPasswordError } from './web3-secret.ts'
