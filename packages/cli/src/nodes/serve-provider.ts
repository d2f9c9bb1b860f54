import { runProviderDaemon } from '@memo/node'
import { daemonOptionsOf } from './daemon-options.ts'
import type { Serve } from './run-node.ts'

export const serve: Serve = async (options) => {
  const { unpaidBytes } = options
  const limits = unpaidBytes === undefined ? {} : { unpaidBytesPerAccount: unpaidBytes }
  await runProviderDaemon({ ...daemonOptionsOf(options), limits })
}
