/** One transaction: signed, handed in, and looked for; never under two nonces. */
import {
  type Address,
  formatTransactionReceipt,
  type Hex,
  keccak256,
  type LocalAccount,
  type PublicClient,
  type TransactionReceipt,
} from 'viem'
import { delay } from './delay.ts'
import type { Fees } from './fees.ts'
import { isLimited, isTransportFault } from './revert.ts'

/** The same bytes are handed in so often at the most before they are only waited for. */
const MAX_OFFERS = 4
const FIRST_PAUSE_MS = 50
/** Blocks that are looked through at once for whoever took a nonce. */
const MAX_SEARCHED_BLOCKS = 256n

export type Call = { readonly to: Address | undefined; readonly data: Hex; readonly value: bigint }

/** What was signed; all versions of an attempt have one nonce, so that one of them counts at the most. */
export type Signed = { readonly raw: Hex; readonly hash: Hex; readonly fees: Fees }

export async function signCall(
  account: LocalAccount,
  {
    call,
    fees,
    ...place
  }: {
    readonly call: Call
    readonly fees: Fees
    readonly nonce: number
    readonly chainId: number
    readonly gas: bigint
  },
): Promise<Signed> {
  const { to, data, value } = call
  const raw = await account.signTransaction({
    type: 'eip1559',
    ...place,
    ...fees,
    ...(to === undefined ? {} : { to }),
    data,
    value,
  })
  return { raw, hash: keccak256(raw), fees }
}

/**
 * Hands a transaction in. `accepted`: the chain has it. `refused`: another has its nonce, and these bytes certainly never
 * arrived. `doubtful`: they may have arrived, so that only these bytes or others of the same nonce may follow. `cheap`: the
 * chain takes the same for more. It is not aborted: who does not know what left cannot know what may follow.
 */
export async function offer(
  rpc: PublicClient,
  { raw, hash }: Signed,
): Promise<'accepted' | 'refused' | 'doubtful' | 'cheap'> {
  let mayHaveArrived = false
  for (let offers = 1; ; offers++) {
    try {
      await rpc.sendRawTransaction({ serializedTransaction: raw })
      return 'accepted'
    } catch (error) {
      if (/already known|already imported|already exists in|known transaction/i.test(String(error))) return 'accepted'
      const isUnheard = isTransportFault(error)
      mayHaveArrived ||= isUnheard
      if (await isKnown(rpc, hash).catch(() => false)) return 'accepted' // where nobody answers it stays open
      if (isUnderpriced(error)) return 'cheap'
      if (isNonceTaken(error)) return mayHaveArrived ? 'doubtful' : 'refused'
      if (!isUnheard && !isLimited(error)) throw error
      if (offers === MAX_OFFERS && !mayHaveArrived) throw error
      if (offers === MAX_OFFERS) return 'doubtful'
      await delay(FIRST_PAUSE_MS * 2 ** offers)
    }
  }
}

/** Whether somebody else's transaction stands where this one should: the pool's words, and those of the chain. */
function isNonceTaken(error: unknown): boolean {
  return /nonce too low|nonce is too low|nonce has already been used|replacement/i.test(String(error))
}

/** Too little for the pool or the block, whoever else waits there. */
function isUnderpriced(error: unknown): boolean {
  const text = String(error)
  return !/replacement/i.test(text) && /underpriced|less than block base fee|fee too low|below base ?fee/i.test(text)
}

export async function isKnown(rpc: PublicClient, hash: Hex): Promise<boolean> {
  const known = await rpc.request({ method: 'eth_getTransactionByHash', params: [hash] })
  return known !== null
}

/** The receipt, once enough blocks stand above it; undefined as well whatever fails on the way, for it may be there. */
export async function findFinalReceipt(
  rpc: PublicClient,
  hash: Hex,
  confirmations: number,
): Promise<TransactionReceipt | undefined> {
  try {
    const raw = await rpc.request({ method: 'eth_getTransactionReceipt', params: [hash] })
    if (raw === null) return undefined
    const receipt = formatTransactionReceipt(raw)
    // A receipt that is another's proves nothing.
    if (receipt.transactionHash.toLowerCase() !== hash.toLowerCase()) return undefined
    if (confirmations === 0) return receipt
    const above = (await rpc.getBlockNumber()) - receipt.blockNumber
    return above >= BigInt(confirmations) ? receipt : undefined
  } catch {
    return undefined // what was sent is not taken back by an endpoint that fails
  }
}

/**
 * The transaction in a block that has this nonce of this account: proof of who took it, which no endpoint that lags gives by
 * knowing nothing. Undefined where the newest blocks have none, or above `confirmations` none yet.
 */
export async function findTaker(
  rpc: PublicClient,
  { from, nonce, confirmations }: { readonly from: Address; readonly nonce: number; readonly confirmations: number },
): Promise<Hex | undefined> {
  const newest = (await rpc.getBlockNumber()) - BigInt(confirmations)
  const oldest = newest > MAX_SEARCHED_BLOCKS ? newest - MAX_SEARCHED_BLOCKS : 0n
  for (let blockNumber = newest; blockNumber >= oldest; blockNumber--) {
    const { transactions } = await rpc.getBlock({ blockNumber, includeTransactions: true })
    const own = transactions.filter((transaction) => transaction.from.toLowerCase() === from.toLowerCase())
    const taker = own.find((transaction) => transaction.nonce === nonce)
    if (taker !== undefined) return taker.hash
    // Nonces grow: further down are only smaller ones.
    if (own.some((transaction) => transaction.nonce < nonce)) return undefined
  }
  return undefined
}
