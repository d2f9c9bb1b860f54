/**
 * An embedded EVM chain: in the process that uses it or behind JSON-RPC, durable in one directory or in memory. It
 * knows nothing of what is deployed on it (`spec/devnet.md`).
 *
 * ```ts
 * const devnet = await createDevnet({ dataDir: 'chain', genesisAlloc: { [address]: 10n ** 20n } })
 * const { url } = await devnet.listen({ port: 8545 })
 * ```
 */
export type { Clock } from './chain.ts'
export { createDevnet, type Devnet, type DevnetOptions } from './devnet.ts'
export {
  BadOptionError,
  type Blame,
  ChainClosedError,
  ChainStoppedError,
  DevnetError,
  type DevnetErrorOptions,
  DirectoryInUseError,
  ListenError,
  type Retry,
  StoreMismatchError,
} from './errors.ts'
export type { GenesisAlloc } from './genesis.ts'
export type { HttpServer } from './http.ts'
export type { Mining } from './miner.ts'
export { RPC_CODES, RpcError } from './rpc/errors.ts'
