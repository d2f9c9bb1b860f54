import { type Address, createPublicClient, custom, http, type LocalAccount, type PublicClient } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { AccountMissing, hideCredentials, RpcUnreachable } from './errors.ts'
import { createSender, randomSalt, type Sender } from './sender.ts'

/** Answers JSON-RPC within this process (EIP-1193): the embedded chain, in tests and simulation. */
export type RpcProvider = {
  request(call: { readonly method: string; readonly params?: unknown }): Promise<unknown>
}

/** How often a receipt is asked for. */
const POLLING_INTERVAL_MS = 250
const REQUEST_TIMEOUT_MS = 10_000

export type ChainClientOptions = {
  /** HTTP address of a JSON-RPC endpoint. With a provider it is only what errors call the chain. */
  readonly rpcUrl: string
  /** Asked instead of the address. */
  readonly provider?: RpcProvider | undefined
  /** Signs transactions; without it the client only reads. */
  readonly account?: LocalAccount | undefined
  /** How often a receipt is asked for. Default 250 ms. */
  readonly pollingIntervalMs?: number | undefined
  readonly timeoutMs?: number | undefined
  /** How many blocks must stand above a transaction before a write resolves. Default 0. */
  readonly confirmations?: number | undefined
  /**
   * Makes transactions of this client differ from those of another process with the same key, which would otherwise
   * be taken for its own. Random by default; simulations fix it.
   */
  readonly senderSalt?: number | undefined
}

/** A connection to one chain: what every action takes first. Holds no socket open; nothing to close. */
export type ChainClient = {
  readonly rpcUrl: string
  readonly rpc: PublicClient
  readonly account: LocalAccount | undefined
  /** Sends transactions of `account`, one nonce after the other. Undefined without an account. */
  readonly sender: Sender | undefined
}

/** Wires a client; contacts nobody yet. */
export function createChainClient(options: ChainClientOptions): ChainClient {
  const { rpcUrl, account, pollingIntervalMs = POLLING_INTERVAL_MS, timeoutMs = REQUEST_TIMEOUT_MS } = options
  const { provider } = options
  if (provider === undefined && !/^https?:$/.test(URL.parse(rpcUrl)?.protocol ?? '')) {
    throw new RpcUnreachable(rpcUrl, new TypeError('not an http URL'))
  }
  // viem caches block numbers for as long as it polls; a caller that has just written must see the new block.
  const rpc = createPublicClient({
    transport:
      provider === undefined
        ? http(hideCredentials(rpcUrl), { timeout: timeoutMs, retryCount: 0, fetchFn: createFetch(rpcUrl) })
        : custom(provider, { retryCount: 0 }),
    pollingInterval: pollingIntervalMs,
    cacheTime: 0,
  }) as PublicClient
  const { confirmations = 0, senderSalt: salt = randomSalt() } = options
  const sender = account && createSender({ rpc, rpcUrl, account, pollingIntervalMs, confirmations, salt })
  return { rpcUrl, rpc, account, sender }
}

/**
 * Asks `rpcUrl`, whatever URL is given: viem repeats the one that it knows in every error, and keys stand in paths.
 *
 * A connection that the server closed while it was idle fails once. All that is sent may be sent twice: reads, and
 * transactions that are signed already. viem's own retries also repeat what the chain refused.
 */
function createFetch(rpcUrl: string): typeof fetch {
  const url = new URL(rpcUrl)
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  url.username = ''
  url.password = ''
  return async (_, init) => {
    const headers = new Headers(init?.headers)
    if (login !== ':') headers.set('authorization', `Basic ${btoa(login)}`)
    try {
      return await fetch(url, { ...init, headers })
    } catch (error) {
      if (init?.signal?.aborted) throw error
      return fetch(url, { ...init, headers })
    }
  }
}

/** The signing account of a 32-byte secret key. */
export function accountFromSecretKey(secretKey: Uint8Array): LocalAccount {
  const hex = Array.from(secretKey, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return privateKeyToAccount(`0x${hex}`)
}

/** The account and sender of a client that must be able to write. Errors: {@link AccountMissing}. */
export function requireSender(client: ChainClient): { account: LocalAccount; sender: Sender; from: Address } {
  if (client.account === undefined || client.sender === undefined) throw new AccountMissing()
  return { account: client.account, sender: client.sender, from: client.account.address }
}
