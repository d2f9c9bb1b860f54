import { runKeeperDaemon } from '@memo/node'
import { isLocalNetwork } from '../local-chain.ts'
import { daemonOptionsOf } from './daemon-options.ts'
import type { Serve } from './run-node.ts'

export const serve: Serve = async (options) => {
  // On a chain of this machine gas costs nothing.
  const attoPerGasWei = options.gasWorthAtto ?? ((await isLocalNetwork(options.config.rpc)) ? 0n : undefined)
  await runKeeperDaemon({ ...daemonOptionsOf(options), limits: attoPerGasWei === undefined ? {} : { attoPerGasWei } })
}
