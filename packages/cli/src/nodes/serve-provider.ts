import { runProviderDaemon } from '@memo/node'
import { isLocalNetwork } from '../local-chain.ts'
import { daemonOptionsOf } from './daemon-options.ts'
import type { Serve } from './run-node.ts'

export const serve: Serve = async (options) => {
  const { unpaidBytes, gasWorthAtto, config } = options
  // On a chain of this machine gas costs nothing.
  const attoPerGasWei = gasWorthAtto ?? ((await isLocalNetwork(config.rpc)) ? 0n : undefined)
  const limits = {
    ...(unpaidBytes === undefined ? {} : { unpaidBytesPerAccount: unpaidBytes }),
    ...(attoPerGasWei === undefined ? {} : { attoPerGasWei }),
  }
  await runProviderDaemon({ ...daemonOptionsOf(options), limits })
}
