import { join } from 'node:path'
import { connectNetwork } from '@memo/chain'
import { createKeySigner } from '@memo/core'
import { createProvider } from '@memo/node'
import {
  createHttpTransport,
  createSystemClock,
  createSystemRandomness,
  createSystemTimers,
  openFilePieceStore,
  openSqliteIndexStore,
  serveHandler,
} from '@memo/platform'
import { untilStopped } from '../runtime.ts'
import type { Serve } from './run-node.ts'

export const serve: Serve = async ({ dataDir, config, secretKey, signal, onEvent, onReady }) => {
  const chain = await connectNetwork({ rpcUrl: config.rpc, registry: config.registry })
  const index = openSqliteIndexStore(join(dataDir, 'index.sqlite'))
  const pieces = await openFilePieceStore(dataDir)
  const { transport, close } = createHttpTransport()
  const node = createProvider({
    network: chain.network,
    chain,
    clock: createSystemClock(),
    timers: createSystemTimers(),
    random: createSystemRandomness(),
    signer: createKeySigner(secretKey),
    pieces,
    index,
    transport,
    log: onEvent,
  } as never)
  await node.start()
  const server = await serveHandler(node.handler, { host: config.host, port: config.port })
  onReady(server.url)
  await untilStopped(signal)
  await server.close()
  await node.stop()
  await index.close()
  await close()
}
