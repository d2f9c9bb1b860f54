import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Devnet } from '@memo/devnet'

/** What an endpoint does with a request: answers it otherwise than the chain, breaks off, or passes it on. */
export type Trick = (
  method: string,
  params: readonly unknown[],
) => Promise<{ readonly answer: unknown } | 'break' | 'pass'>

export type TrickyEndpoint = { readonly url: string; play(next: Trick): void; close(): Promise<void> }

/** An endpoint in front of the chain that is good until it is told to play a trick. */
export async function startEndpoint(devnet: Devnet): Promise<TrickyEndpoint> {
  let trick: Trick = async () => 'pass'
  const server = createServer(async (request, response) => {
    const { id, method, params = [] } = JSON.parse(Buffer.concat(await request.toArray()).toString())
    const played = await trick(method, params)
    if (played === 'break') return void request.socket.destroy()
    const reply =
      played === 'pass'
        ? await devnet.request({ method, params }).then(
            (result) => ({ result }),
            ({ code = -32_000, message, data }) => ({ error: { code, message, data } }),
          )
        : (played.answer as object)
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ jsonrpc: '2.0', id, ...reply }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    play: (next: Trick) => {
      trick = next
    },
    async close() {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}
