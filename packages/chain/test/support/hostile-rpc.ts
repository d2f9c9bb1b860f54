/**
 * A JSON-RPC endpoint as bad as they come, in front of a chain: a real server whose answers a test bends. What it does not bend
 * it passes on.
 */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { TestChain } from './network.ts'

export type RpcCall = { readonly id: number; readonly method: string; readonly params: readonly unknown[] }

/** What is done with a call. `pass`: the chain's answer; others never let the client see it. */
export type Bend =
  | 'pass'
  /** The connection breaks before the chain is asked. */
  | 'drop'
  /** The chain is asked, and the connection breaks before the answer. */
  | 'swallow'
  /** The chain is asked, and no answer ever comes. */
  | 'hush'
  /** HTTP 429. */
  | 'limit'
  /** The answer before this one, which was to another question. */
  | 'repeat'
  | { readonly result: unknown }
  | { readonly rewrite: (result: unknown) => unknown }
  | { readonly error: { readonly code: number; readonly message: string } }

export type HostileRpc = {
  readonly rpcUrl: string
  /** Every call that arrived, in order. */
  readonly calls: RpcCall[]
  /** What is done with each call from now on. */
  bend(decide: (call: RpcCall) => Bend): void
}

export async function startHostileRpc(context: TestContext, chain: Pick<TestChain, 'request'>): Promise<HostileRpc> {
  const calls: RpcCall[] = []
  let decide: (call: RpcCall) => Bend = () => 'pass'
  let previous = JSON.stringify({ jsonrpc: '2.0', id: 0, result: '0x0' })
  const server = createServer((request, response) => {
    const chunks: Uint8Array[] = []
    request.on('data', (chunk: Uint8Array) => chunks.push(chunk))
    request.on('end', async () => {
      const call = JSON.parse(Buffer.concat(chunks).toString('utf8')) as RpcCall
      calls.push(call)
      const bend = decide(call)
      if (bend === 'drop') return void response.destroy()
      if (bend === 'limit') return void response.writeHead(429, { 'retry-after': '0' }).end('slow down')
      if (bend === 'repeat') return void send(response, previous)
      const answer = JSON.stringify({ jsonrpc: '2.0', id: call.id, ...(await answerTo(call, bend)) })
      if (bend === 'swallow') return void response.destroy()
      if (bend === 'hush') return
      previous = answer
      send(response, answer)
    })
  })

  async function answerTo({ method, params }: RpcCall, bend: Bend): Promise<object> {
    if (typeof bend === 'object' && !('rewrite' in bend)) return bend
    try {
      const result = await chain.request({ method, params })
      return { result: typeof bend === 'object' ? bend.rewrite(result) : result }
    } catch (error) {
      const { code = -32_603, message, data } = error as { code?: number; message: string; data?: unknown }
      return { error: { code, message, ...(data !== undefined && { data }) } }
    }
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    rpcUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    bend: (next) => {
      decide = next
    },
  }
}

function send(response: ServerResponse, body: string): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(body)
}
