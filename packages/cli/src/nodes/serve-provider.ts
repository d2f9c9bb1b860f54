import { runProviderDaemon } from '@memo/node'
import type { Serve } from './run-node.ts'

export const serve: Serve = async ({ dataDir, config, secretKey, signal, onEvent, onReady }) => {
  await runProviderDaemon({
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
  })
}
