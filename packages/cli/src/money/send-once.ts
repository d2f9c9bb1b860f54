import { setTimeout as sleep } from 'node:timers/promises'
import {
  createChainClient,
  createMemoChain,
  findTaker,
  type MemoChain,
  type RpcProvider,
  type WriteResult,
} from '@memo/chain'
import { MemoError } from '@memo/core'
import { PaymentUnderWayError } from '../errors.ts'
import type { Payer } from './account.ts'
import { ask, asking } from './rpc.ts'
import {
  type Intent,
  type SentPayment,
  type SentPayments,
  type SignedTransaction,
  transactionOf,
} from './sent-payments.ts'

const POLL_MS = 200
const POLLING_INTERVAL_MS = 100
/** Blocks are looked through for whoever took a nonce, so seldom. */
const ROUNDS_PER_SEARCH = 25
/** How long a transaction that was sent before may take to get into a block. */
const MAX_WAIT_MS = 60_000
/** Permits in transactions are good for an hour; what is older is signed anew, under the same nonce. */
const REUSE_MS = 30 * 60_000
/** An error that is the word of a chain, so that nothing is handed in again. */
const REFUSED_CODE = -32_000

type Receipt = { readonly status: `0x${string}`; readonly blockNumber: `0x${string}` }

/** What an earlier command sent without seeing its end. */
export type Earlier = {
  readonly sent: SentPayment
  /** The same is wanted again. */
  readonly isSame: boolean
  /** Where it counts. */
  readonly result?: WriteResult
  /** Nobody proved that it never counts, so that whatever follows takes its nonce. */
  readonly isOpen: boolean
}

/**
 * What became of the payment that an earlier command sent without seeing its end. Where the same is wanted again (`intent`),
 * what was signed is handed in once more, so that it is paid once. Errors: {@link PaymentUnderWayError}.
 */
export async function settleEarlier(
  { chain }: Payer,
  payments: SentPayments,
  intent: Intent,
  signal: AbortSignal,
): Promise<Earlier | undefined> {
  const sent = payments.find()
  if (!sent) return undefined
  const isSame = JSON.stringify(sent.intent) === JSON.stringify(intent)
  const outcome = await awaitOutcome(chain, sent, { handsIn: isSame && isFresh(sent), signal })
  if (outcome !== 'open') payments.clear()
  return { isSame, sent, isOpen: outcome === 'open', ...(typeof outcome === 'string' ? {} : { result: outcome }) }
}

/** Behind one address each answer may come from another machine: no count, no absence and no refusal proves anything. */
async function awaitOutcome(
  chain: MemoChain,
  sent: SentPayment,
  { handsIn, signal }: { readonly handsIn: boolean; readonly signal: AbortSignal },
): Promise<WriteResult | 'void' | 'open'> {
  const last = sent.transactions.at(-1)
  if (!last) return 'void'
  const endMs = performance.now() + MAX_WAIT_MS
  for (let round = 0; ; round++) {
    const mined = await findMined(chain, sent.transactions)
    if (mined) return mined.receipt.status === '0x1' ? resultOf(mined) : 'void'
    if ((await countOf(chain, 'latest')) > last.nonce) {
      if (round % ROUNDS_PER_SEARCH === 0 && (await isVoid(chain, sent))) return 'void'
    } else if (!(await isPending(chain, last))) {
      const isNext = (await countOf(chain, 'pending')) === last.nonce
      if (round > 0 || !handsIn || !isNext) return 'open'
      await handIn(chain, last)
    }
    if (performance.now() > endMs) {
      const firstNonce = await countOf(chain, 'latest')
      throw new PaymentUnderWayError(sent.intent.verb ?? '', { ...last, firstNonce })
    }
    await sleep(POLL_MS, undefined, { signal })
  }
}

/** Whether it never counts: another transaction of its nonce is in a block; or it is so long ago that none is looked for. */
async function isVoid(chain: MemoChain, sent: SentPayment): Promise<boolean> {
  const { client } = chain
  const [{ nonce = 0 } = {}, from] = [sent.transactions.at(-1), client.account?.address]
  if (from === undefined) return false
  const taker = await asking(client, 'eth_getBlockByNumber', async () => {
    return await findTaker(client.rpc, { from, nonce, confirmations: 0 })
  })
  if (taker !== undefined) return !sent.transactions.some(({ hash }) => hash === taker)
  return !isFresh(sent) && (await countOf(chain, 'latest')) > nonce
}

function isFresh({ sentAtMs }: SentPayment): boolean {
  return Date.now() - sentAtMs < REUSE_MS
}

/**
 * Has `act` send one transaction from the payer's account. What it signs is kept first, so that the same command finds
 * it again after whatever end. Nothing leaves under another nonce than what is `open`, unless that is void. Errors: those
 * of `act`, {@link PaymentUnderWayError}.
 */
export async function sendOnce(
  payer: Payer,
  payments: SentPayments,
  intent: Intent,
  act: (chain: MemoChain) => Promise<WriteResult>,
  open?: Pick<Earlier, 'sent' | 'isSame'>,
): Promise<WriteResult> {
  const { client, network, addresses } = payer.chain
  // Under one nonce either may end up in a block: both stand for what was asked for.
  const transactions: SignedTransaction[] = open?.isSame ? [...open.sent.transactions] : []
  const provider = createKeepingProvider(payer.chain, async (raw) => {
    const signed = transactionOf(raw)
    if (transactions.some(({ hash }) => hash === signed.hash)) return
    // Under the same nonce only one counts; under another one both would.
    const others = transactions.filter(({ nonce }) => nonce !== signed.nonce)
    await assertNoneCounts(payer.chain, others, intent)
    if (open) await assertTakesItsPlace(payer.chain, open.sent, signed)
    transactions.push(signed)
    await payments.save({ intent, sentAtMs: Date.now(), transactions })
  })
  const sender = createChainClient({
    rpcUrl: client.rpcUrl,
    provider,
    account: client.account,
    gas: client.gas,
    pollingIntervalMs: POLLING_INTERVAL_MS,
  })
  const result = await act(createMemoChain({ client: sender, addresses, chainId: network.chainId })).catch(
    async (error: unknown) => {
      // A refusal before anything was signed, or a transaction that failed in its block, leaves nothing to look for.
      const mined = await findMined(payer.chain, transactions).catch(() => 'unknown' as const) // then it stays kept
      const isUnsent = transactions.length === 0 && !open
      if (isUnsent || (mined !== 'unknown' && mined?.receipt.status === '0x0')) payments.clear()
      throw provider.refusal() ?? error
    },
  )
  payments.clear()
  return result
}

/** The chain of `chain`, asked for everything, that hands in a transaction only after `keep` has resolved. */
function createKeepingProvider(
  chain: MemoChain,
  keep: (raw: `0x${string}`) => Promise<void>,
): RpcProvider & { refusal(): MemoError | undefined } {
  let refusal: MemoError | undefined
  return {
    refusal: () => refusal,
    async request({ method, params }) {
      if (method === 'eth_sendRawTransaction') {
        await keep((params as readonly `0x${string}`[])[0] as `0x${string}`).catch((error: unknown) => {
          if (!(error instanceof MemoError)) throw error
          refusal = error
          throw Object.assign(new Error('it was not handed in', { cause: error }), { code: REFUSED_CODE })
        })
      }
      return await chain.client.rpc.request({ method, params } as never)
    },
  }
}

/** Another process may have used the nonce; then the sender signs again, which must not be a second payment. */
async function assertNoneCounts(chain: MemoChain, signed: readonly SignedTransaction[], intent: Intent): Promise<void> {
  const mined = await findMined(chain, signed)
  if (mined) throw new PaymentUnderWayError(intent.verb ?? '', mined)
}

/** What is open may yet count: under its nonce one of the two does, under another one both would. */
async function assertTakesItsPlace(chain: MemoChain, open: SentPayment, signed: SignedTransaction): Promise<void> {
  const last = open.transactions.at(-1)
  if (!last || signed.nonce === last.nonce) return
  const mayFollow = signed.nonce > last.nonce ? await isVoid(chain, open) : !isFresh(open)
  if (!mayFollow) throw new PaymentUnderWayError(open.intent.verb ?? '', last)
}

async function findMined(
  { client }: MemoChain,
  transactions: readonly SignedTransaction[],
): Promise<{ readonly hash: `0x${string}`; readonly nonce: number; readonly receipt: Receipt } | undefined> {
  for (const { hash, nonce } of transactions) {
    const receipt = await ask(client, 'eth_getTransactionReceipt', [hash])
    if (receipt !== null) return { hash, nonce, receipt: receipt as Receipt }
  }
  return undefined
}

function resultOf({ hash, receipt }: { readonly hash: `0x${string}`; readonly receipt: Receipt }): WriteResult {
  return { hash, blockNumber: Number(receipt.blockNumber) }
}

async function isPending({ client }: MemoChain, { hash }: SignedTransaction): Promise<boolean> {
  return (await ask(client, 'eth_getTransactionByHash', [hash])) !== null
}

/** Hands in once more what was signed. What comes back proves nothing: the next look says whether it is there. */
async function handIn({ client }: MemoChain, { raw }: SignedTransaction): Promise<void> {
  try {
    await ask(client, 'eth_sendRawTransaction', [raw])
  } catch (error) {
    if (!(error instanceof MemoError)) throw error
  }
}

/** Of a payer's account: with `latest` also the first nonce that no block has. */
export async function countOf({ client }: MemoChain, blockTag: 'latest' | 'pending'): Promise<number> {
  return Number(await ask(client, 'eth_getTransactionCount', [client.account?.address, blockTag]))
}
