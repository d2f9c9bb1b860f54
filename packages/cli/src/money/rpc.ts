import { asMemoError, type ChainClient } from '@memo/chain'

/** One JSON-RPC call as it stands. Errors: RpcUnreachable, RpcRefused. */
export async function ask(client: ChainClient, method: string, params: readonly unknown[]): Promise<unknown> {
  return await asking(client, method, async () => await client.rpc.request({ method, params } as never))
}

/** What `work` asks of the chain, with errors that say whose fault it is. Errors: RpcUnreachable, RpcRefused. */
export async function asking<T>(client: ChainClient, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: `answer ${what}` })
  }
}
