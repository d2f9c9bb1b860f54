import { type Hex, keccak256, parseTransaction, type TransactionReceipt } from 'viem'
import { type ChainClient, requireSender } from '../client/chain-client.ts'
import { delay } from '../client/delay.ts'
import { GasTooExpensive, ReceiptTimeout } from '../client/errors.ts'
import { type Fees, outbid, priceGas } from '../client/fees.ts'
import { asMemoError } from '../client/revert.ts'
import { RECEIPT_TIMEOUT_MS } from '../client/sender.ts'
import { findFinalReceipt, findTaker, offer, type Signed, signCall } from '../client/transaction.ts'
import type { WriteResult } from './call.ts'

/** What sending nothing takes. */
const GAS = 21_000n
/** Each is for 15 % more, so that what lies there is outbid a hundredfold at the end. */
const MAX_RAISES = 33
const POLL_MS = 250

export type EmptyNonceOptions = {
  readonly nonce: number
  /** What is known to have been signed under this nonce: more than it is offered, and its end is looked for as well. */
  readonly rivals?: readonly Hex[] | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Sends nothing to the client's own account under a nonce whose transaction never lands, for more than that one offers. Under
 * one nonce one transaction counts: this one, or another, whose hash comes back with `isEmptied` false. Errors: GasTooExpensive
 * where no offer within the limit is
 * taken, ReceiptTimeout, RpcRefused.
 */
export async function emptyNonce(
  client: ChainClient,
  options: EmptyNonceOptions,
): Promise<WriteResult & { readonly isEmptied: boolean }> {
  try {
    return await emptyOrFind(client, options)
  } catch (error) {
    throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: 'take a transaction' })
  }
}

/** What {@link emptyNonce} may take of the chain's coin as things are, in wei. */
export async function quoteEmptyNonce(client: ChainClient, options: EmptyNonceOptions): Promise<bigint> {
  try {
    return GAS * (await firstOffer(client, options)).maxFeePerGas
  } catch (error) {
    throw asMemoError(error, { rpcUrl: client.rpcUrl, doing: 'give its price of gas' })
  }
}

async function emptyOrFind(client: ChainClient, options: EmptyNonceOptions) {
  const { nonce, rivals = [], signal } = options
  const { account } = requireSender(client)
  const { rpc } = client
  const chainId = await rpc.getChainId()
  const call = { to: account.address, data: '0x', value: 0n } as const
  const versions: Signed[] = []
  const startedMs = performance.now()
  for (let fees = await firstOffer(client, options), raises = 0; ; raises++) {
    signal?.throwIfAborted()
    const signed = await signCall(account, { call, nonce, chainId, gas: GAS, fees })
    versions.push(signed)
    const outcome = await offer(rpc, signed)
    if (outcome === 'accepted' || outcome === 'doubtful') break
    if ((await rpc.getTransactionCount({ address: account.address, blockTag: 'latest' })) > nonce) break
    fees = await raise(client, fees, raises)
  }
  for (;;) {
    for (const [hashes, isEmptied] of [
      [versions.map(({ hash }) => hash), true],
      [rivals.map((raw) => keccak256(raw)), false],
    ] as const) {
      const receipt = await findAny(client, hashes)
      if (receipt) return { hash: receipt.transactionHash, blockNumber: Number(receipt.blockNumber), isEmptied }
    }
    const taker = await findTakerOf(client, nonce)
    const own = versions.at(-1)?.hash ?? '0x'
    if (taker && !versions.some(({ hash }) => hash === taker)) {
      const receipt = await findFinalReceipt(rpc, taker, 0)
      if (receipt) return { hash: taker, blockNumber: Number(receipt.blockNumber), isEmptied: false }
    }
    const waitedMs = Math.round(performance.now() - startedMs)
    if (waitedMs > RECEIPT_TIMEOUT_MS) throw new ReceiptTimeout(own, waitedMs, undefined, nonce)
    await delay(POLL_MS, signal)
  }
}

/** More than what is known to wait there, and twice what is asked now, where the limit lets it: whatever else waits is outbid too. */
async function firstOffer({ rpc, gas }: ChainClient, { rivals = [], signal }: EmptyNonceOptions): Promise<Fees> {
  const asked = await priceGas(rpc, { gas: GAS, options: gas, pollingIntervalMs: POLL_MS, signal })
  let fees: Fees = { maxFeePerGas: 2n * asked.maxFeePerGas, maxPriorityFeePerGas: 2n * asked.maxPriorityFeePerGas }
  const limit = gas.maxFeePerGasWei
  if (limit !== undefined && fees.maxFeePerGas > limit) fees = asked
  for (const raw of rivals) {
    const { maxFeePerGas = 0n, maxPriorityFeePerGas = 0n } = parseTransaction(raw)
    const isAbove = fees.maxFeePerGas * 100n > maxFeePerGas * 115n
    if (isAbove && fees.maxPriorityFeePerGas * 100n > maxPriorityFeePerGas * 115n) continue
    fees = await outbidOrRefuse({ rpc, gas }, { maxFeePerGas, maxPriorityFeePerGas })
  }
  return fees
}

async function raise(client: ChainClient, fees: Fees, raises: number): Promise<Fees> {
  if (raises < MAX_RAISES) return await outbidOrRefuse(client, fees)
  throw new GasTooExpensive({ gas: GAS, feeWei: fees.maxFeePerGas, limitWei: fees.maxFeePerGas })
}

async function outbidOrRefuse({ rpc, gas }: Pick<ChainClient, 'rpc' | 'gas'>, fees: Fees): Promise<Fees> {
  const limitWei = gas.maxFeePerGasWei
  const more = await outbid(rpc, fees, limitWei)
  if (more) return more
  throw new GasTooExpensive({ gas: GAS, feeWei: fees.maxFeePerGas, limitWei: limitWei ?? fees.maxFeePerGas })
}

async function findAny({ rpc }: ChainClient, hashes: readonly Hex[]): Promise<TransactionReceipt | undefined> {
  for (const hash of hashes) {
    const receipt = await findFinalReceipt(rpc, hash, 0)
    if (receipt) return receipt
  }
  return undefined
}

/** Whoever has the nonce in a block, once the chain counts beyond it. */
async function findTakerOf(client: ChainClient, nonce: number): Promise<Hex | undefined> {
  const { rpc } = client
  const { from } = requireSender(client)
  if ((await rpc.getTransactionCount({ address: from, blockTag: 'latest' })) <= nonce) return undefined
  return await findTaker(rpc, { from, nonce, confirmations: 0 })
}
