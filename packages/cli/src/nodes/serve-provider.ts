import { runProviderDaemon } from '@memo/node'
import { isLocalNetwork } from '../local-chain.ts'
import { daemonOptionsOf } from './daemon-options.ts'
import type { Serve } from './run-node.ts'

export const serve: Serve = async (options) => {
  const { unpaidBytes, config } = options
  const limits = {
    ...(unpaidBytes === undefined ? {} : { unpaidBytesPerAccount: unpaidBytes }),
    // On a chain of this machine gas costs nothing.
    ...((await isLocalNetwork(config.rpc)) ? { attoPerGasWei: 0n } : {}),
  }
  await runProviderDaemon({ ...daemonOptionsOf(options), limits })
}
