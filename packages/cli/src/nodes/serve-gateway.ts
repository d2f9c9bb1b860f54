import { jsonResponse } from '@memo/core'
import { serveHandler } from '@memo/platform'
import { untilStopped } from '../runtime.ts'
import type { Serve } from './run-node.ts'
export const serve: Serve = async ({ config, signal, onReady }) => {
  const server = await serveHandler(async () => jsonResponse(200, {}), { host: config.host, port: config.port })
  onReady(server.url)
  await untilStopped(signal)
  await server.close()
}
