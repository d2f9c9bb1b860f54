import { type ChainClient, RpcRefused, RpcUnreachable } from '@memo/chain'

/** How an error looks when nobody answered, by name: it may be wrapped several times. */
const TRANSPORT_FAULTS: readonly unknown[] = ['HttpRequestError', 'TimeoutError']
const MAX_CAUSES = 12

/** One JSON-RPC call as it stands. Errors: RpcUnreachable, RpcRefused. */
export async function ask(client: ChainClient, method: string, params: readonly unknown[]): Promise<unknown> {
  return await asking(client, method, async () => await client.rpc.request({ method, params } as never))
}

/** What `work` asks of the chain, with errors that say whose fault it is. Errors: RpcUnreachable, RpcRefused. */
export async function asking<T>(client: ChainClient, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isTransportFault(error)) throw new RpcUnreachable(client.rpcUrl, error)
    throw new RpcRefused(`answer ${what}`, error)
  }
}

function isTransportFault(error: unknown): boolean {
  let current = error
  for (let i = 0; i < MAX_CAUSES && current instanceof Error; i++) {
    if (TRANSPORT_FAULTS.includes(current.name)) return true
    current = current.cause
  }
  return false
}
