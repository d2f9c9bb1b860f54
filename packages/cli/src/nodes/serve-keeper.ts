import { runKeeperDaemon } from '@memo/node'
import { daemonOptionsOf } from './daemon-options.ts'
import type { Serve } from './run-node.ts'

export const serve: Serve = async (options) => await runKeeperDaemon(daemonOptionsOf(options))
