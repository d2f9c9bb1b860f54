import type { IndexStore } from '@memo/core'
import { type Address, createPublicClient, custom, type LocalAccount, type PublicClient } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { AccountMissing, RpcUnreachable } from './errors.ts'
import type { GasOptions } from './fees.ts'
import { createHorizon, type Horizon } from './horizon.ts'
import { createHttpRpc } from './http-rpc.ts'
import { createPatientRpc } from './patience.ts'
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
  /** What gas may cost, and how long a better price is waited for. Default: whatever the chain asks. */
  readonly gas?: GasOptions | undefined
  /** Keeps what is sent under a key ({@link withOnce}), so that a later process finds it. */
  readonly journal?: IndexStore | undefined
  /** How long an endpoint that is behind what this client has seen may take to catch up. Default 3 s. */
  readonly lagPatienceMs?: number | undefined
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
  /** What it was told about the price of gas; a client that is made from it is told the same. */
  readonly gas: GasOptions
  /** What reads must not be older than. */
  readonly horizon: Horizon
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
    // What is asked within this process is not repeated: it fails for a reason.
    transport: custom(provider ?? createPatientRpc(createHttpRpc(rpcUrl, timeoutMs)), { retryCount: 0 }),
    pollingInterval: pollingIntervalMs,
    cacheTime: 0,
  }) as PublicClient
  const { confirmations = 0, senderSalt: salt = randomSalt(), gas = {}, journal, lagPatienceMs } = options
  const horizon = createHorizon(rpc, pollingIntervalMs, lagPatienceMs)
  const sender =
    account && createSender({ rpc, rpcUrl, account, horizon, pollingIntervalMs, confirmations, gas, journal, salt })
  return { rpcUrl, rpc, account, sender, gas, horizon }
}

/**
 * The same client for one purpose: whatever it sends happens once under this key, over timeouts, aborts and, where the client
 * has a journal, crashes. One key for one action; `client.sender.forget(key)` lets it be used again.
 */
export function withOnce(client: ChainClient, once: string): ChainClient {
  const { sender } = client
  if (sender === undefined) return client
  return { ...client, sender: { ...sender, send: (request) => sender.send({ ...request, once }) } }
}

/**
 * The same client, whose reads all answer as of one block, so that what they say fits together while the chain goes on. It does not
 * send. Errors of its reads: RpcRefused where the endpoint has not kept the state of that block.
 */
export function atBlock(client: ChainClient, blockNumber: number): ChainClient {
  const block = BigInt(blockNumber)
  const horizon: Horizon = { ...client.horizon, read: async (ask) => await ask(block) }
  return { ...client, sender: undefined, horizon }
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
