import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { findBytesFromHex, hexFromBytes, keccak256 } from '@memo/core'
import type { Devnet } from '@memo/devnet'

export type HoldingRpc = {
  readonly url: string
  /** From now on transactions are answered with their hash and kept back, as by a node that forgets them. */
  hold(): void
  /** From now on they are passed on again. */
  pass(): void
  /** What was kept back, oldest first. */
  held(): readonly string[]
  /** Hands the last of them to the chain, late. */
  release(): Promise<void>
  close(): Promise<void>
}

/** JSON-RPC in front of a chain of this process. */
export async function startHoldingRpc(devnet: Devnet): Promise<HoldingRpc> {
  const held = new Set<string>()
  let isHolding = false
  const answer = async (method: string, params: readonly unknown[]): Promise<unknown> => {
    if (method !== 'eth_sendRawTransaction' || !isHolding) return await devnet.request({ method, params })
    const raw = params[0] as string
    held.add(raw)
    return hexFromBytes(keccak256(findBytesFromHex(raw) as Uint8Array))
  }
  const server = createServer(async (request, response) => {
    const { id, method, params = [] } = JSON.parse(Buffer.concat(await request.toArray()).toString())
    const reply = await answer(method, params).then(
      (result) => ({ result }),
      (error: { code?: number; message: string; data?: unknown }) => {
        return { error: { code: error.code ?? -32_000, message: error.message, data: error.data } }
      },
    )
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ jsonrpc: '2.0', id, ...reply }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold: () => {
      isHolding = true
    },
    pass: () => {
      isHolding = false
    },
    held: () => [...held],
    async release() {
      await devnet.request({ method: 'eth_sendRawTransaction', params: [[...held].at(-1)] })
    },
    async close() {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}
