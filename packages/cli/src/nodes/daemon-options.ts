import type { NodeDaemonOptions } from '@memo/node'
import type { ServeNodeOptions } from './run-node.ts'

/** What providers and keepers are started with alike. */
export function daemonOptionsOf(options: ServeNodeOptions): NodeDaemonOptions {
  const { dataDir, config, secretKey, gas, signal, onEvent, onReady } = options
  return {
    dataDir,
    rpcUrl: config.rpc,
    registry: config.registry,
    chainId: config.chainId,
    secretKey,
    gas,
    registerAgain: options.registerAgain,
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
