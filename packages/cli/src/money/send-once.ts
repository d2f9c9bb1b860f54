import { setTimeout as sleep } from 'node:timers/promises'
import {
  createChainClient,
  createMemoChain,
  type MemoChain,
  type RpcProvider,
  RpcUnreachable,
  type WriteResult,
} from '@memo/chain'
import { PaymentUnderWayError } from '../errors.ts'
import type { Payer } from './account.ts'
import { ask } from './rpc.ts'
import {
  type Intent,
  type SentPayment,
  type SentPayments,
  type SignedTransaction,
  transactionOf,
} from './sent-payments.ts'

const POLL_MS = 200
const POLLING_INTERVAL_MS = 100
/** How long a transaction that was sent before may take to get into a block. */
const MAX_WAIT_MS = 60_000
/** Permits in transactions are good for an hour; what is older is signed anew, under the same nonce. */
const REUSE_MS = 30 * 60_000

type Receipt = { readonly status: `0x${string}`; readonly blockNumber: `0x${string}` }

/**
 * What became of the payment that an earlier command sent without seeing its end: its result where it counts, undefined
 * where it does not and never will, because the next transaction takes its nonce or it failed. Where the same is wanted
 * again (`intent`), what was signed is handed in once more, so that it is paid once. Errors: {@link PaymentUnderWayError}.
 */
export async function settleEarlier(
  { chain }: Payer,
  payments: SentPayments,
  intent: Intent,
  signal: AbortSignal,
): Promise<{ readonly isSame: boolean; readonly sent: SentPayment; readonly result?: WriteResult } | undefined> {
  const sent = payments.find()
  if (!sent) return undefined
  const isSame = JSON.stringify(sent.intent) === JSON.stringify(intent)
  const isFresh = Date.now() - sent.sentAtMs < REUSE_MS
  const done = await awaitOutcome(chain, sent, { handsIn: isSame && isFresh, signal })
  payments.clear()
  return { isSame, sent, ...(done ? { result: done } : {}) }
}

async function awaitOutcome(
  chain: MemoChain,
  sent: SentPayment,
  { handsIn, signal }: { readonly handsIn: boolean; readonly signal: AbortSignal },
): Promise<WriteResult | undefined> {
  const last = sent.transactions.at(-1)
  if (!last) return undefined
  const endMs = performance.now() + MAX_WAIT_MS
  for (let isFirst = true; ; isFirst = false) {
    const mined = await findMined(chain, sent.transactions)
    if (mined) return mined.receipt.status === '0x1' ? resultOf(mined) : undefined
    if ((await countOf(chain, 'latest')) > last.nonce) {
      // Its nonce is used: by itself, in a block that was not there a moment ago, or by another one.
      const late = await findMined(chain, sent.transactions)
      return late?.receipt.status === '0x1' ? resultOf(late) : undefined
    }
    const isKnown = await isPending(chain, last)
    const isNext = (await countOf(chain, 'pending')) === last.nonce
    if (!isKnown && !(isFirst && handsIn && isNext)) return undefined
    if (!isKnown && !(await isTaken(chain, last))) return undefined
    if (performance.now() > endMs) throw new PaymentUnderWayError(sent.intent.verb ?? '', last.hash)
    await sleep(POLL_MS, undefined, { signal })
  }
}

/**
 * Has `act` send one transaction from the payer's account. What it signs is kept first, so that the same command finds
 * it again after whatever end. Errors: those of `act`, {@link PaymentUnderWayError}.
 */
export async function sendOnce(
  payer: Payer,
  payments: SentPayments,
  intent: Intent,
  act: (chain: MemoChain) => Promise<WriteResult>,
): Promise<WriteResult> {
  const { client, network, addresses } = payer.chain
  const transactions: SignedTransaction[] = []
  const provider = createKeepingProvider(payer.chain, async (raw) => {
    const signed = transactionOf(raw)
    if (transactions.some(({ hash }) => hash === signed.hash)) return
    // Under the same nonce only one counts; under another one both would.
    const others = transactions.filter(({ nonce }) => nonce !== signed.nonce)
    await assertNoneCounts(payer.chain, others, intent)
    transactions.push(signed)
    await payments.save({ intent, sentAtMs: Date.now(), transactions })
  })
  const sender = createChainClient({
    rpcUrl: client.rpcUrl,
    provider,
    account: client.account,
    pollingIntervalMs: POLLING_INTERVAL_MS,
  })
  const result = await act(createMemoChain({ client: sender, addresses, chainId: network.chainId })).catch(
    async (error: unknown) => {
      // A refusal before anything was signed, or a transaction that failed in its block, leaves nothing to look for.
      const mined = await findMined(payer.chain, transactions).catch(() => 'unknown' as const) // then it stays kept
      if (transactions.length === 0 || (mined !== 'unknown' && mined?.receipt.status === '0x0')) payments.clear()
      throw error
    },
  )
  payments.clear()
  return result
}

/** The chain of `chain`, asked for everything, that hands in a transaction only after `keep` has resolved. */
function createKeepingProvider(chain: MemoChain, keep: (raw: `0x${string}`) => Promise<void>): RpcProvider {
  return {
    async request({ method, params }) {
      if (method === 'eth_sendRawTransaction') await keep((params as readonly `0x${string}`[])[0] as `0x${string}`)
      return await chain.client.rpc.request({ method, params } as never)
    },
  }
}

/** Another process may have used the nonce; then the sender signs again, which must not be a second payment. */
async function assertNoneCounts(chain: MemoChain, signed: readonly SignedTransaction[], intent: Intent): Promise<void> {
  const mined = await findMined(chain, signed)
  if (mined) throw new PaymentUnderWayError(intent.verb ?? '', mined.hash)
}

async function findMined(
  { client }: MemoChain,
  transactions: readonly SignedTransaction[],
): Promise<{ readonly hash: `0x${string}`; readonly receipt: Receipt } | undefined> {
  for (const { hash } of transactions) {
    const receipt = await ask(client, 'eth_getTransactionReceipt', [hash])
    if (receipt !== null) return { hash, receipt: receipt as Receipt }
  }
  return undefined
}

function resultOf({ hash, receipt }: { readonly hash: `0x${string}`; readonly receipt: Receipt }): WriteResult {
  return { hash, blockNumber: Number(receipt.blockNumber) }
}

async function isPending({ client }: MemoChain, { hash }: SignedTransaction): Promise<boolean> {
  return (await ask(client, 'eth_getTransactionByHash', [hash])) !== null
}

/** Hands in once more what was signed. False where the chain does not want it: then the next one takes its nonce. */
async function isTaken({ client }: MemoChain, { raw }: SignedTransaction): Promise<boolean> {
  try {
    await ask(client, 'eth_sendRawTransaction', [raw])
    return true
  } catch (error) {
    if (error instanceof RpcUnreachable) throw error
    return false // such as: no coin for its gas any more
  }
}

async function countOf({ client }: MemoChain, blockTag: 'latest' | 'pending'): Promise<number> {
  return Number(await ask(client, 'eth_getTransactionCount', [client.account?.address, blockTag]))
}
