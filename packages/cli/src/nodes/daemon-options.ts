import type { NodeDaemonOptions } from '@memo/node'
import type { ServeNodeOptions } from './run-node.ts'

/** What providers and keepers are started with alike. */
export function daemonOptionsOf(options: ServeNodeOptions): NodeDaemonOptions {
  const { dataDir, config, secretKey, signal, onEvent, onReady } = options
  return {
    dataDir,
    rpcUrl: config.rpc,
    registry: config.registry,
    secretKey,
    host: config.host,
    port: config.port,
    publicUrl: config.endpoint,
    signal,
    onEvent(event) {
      onEvent(event)
      if (event.type === 'ready') onReady(`${event.url}`)
    },
  }
}
