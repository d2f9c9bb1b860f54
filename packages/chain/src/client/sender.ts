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
import { GasMoneyMissing, ReceiptTimeout, TransactionReverted } from './errors.ts'
import { asMemoError, decodeRevert, isTransportFault } from './revert.ts'

/** How long a receipt may take; a stopped chain is reported, not waited for. */
export const RECEIPT_TIMEOUT_MS = 60_000
/** A transaction that left the pool is sent again after so many polls. */
const POLLS_PER_RESEND = 20
/** Another process may use the same key; then the nonce is read again, so often at the most. */
const MAX_NONCE_ATTEMPTS = 5
/** Gas is estimated on the state of now; the state of the block may differ a little. */
const GAS_MARGIN_PERCENT = 125n

/** Two processes that send the same at once are told apart by so many units of unused gas at the most. */
const MAX_SALT = 0xfff

/** A salt that another process hardly has. */
export function randomSalt(): number {
  const [random = 0] = globalThis.crypto.getRandomValues(new Uint16Array(1))
  return random & MAX_SALT
}

export type TransactionRequest = {
  /** Absent for a creation. */
  readonly to?: Address | undefined
  readonly data: Hex
  readonly value?: bigint | undefined
  /** A nonce that the transaction must have; the deploy plan needs it. */
  readonly nonce?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
}

/** Sends the transactions of one account in order and waits for their receipts. */
export type Sender = {
  /**
   * Resolves with the receipt of a transaction that succeeded. Errors: `ContractRefused` when it reverts (before it
   * is sent, where that can be foreseen), `GasMoneyMissing`, `ReceiptTimeout`, `RpcUnreachable`, `RpcRefused`.
   */
  send(request: TransactionRequest): Promise<TransactionReceipt>
}

type SenderOptions = {
  readonly rpc: PublicClient
  readonly rpcUrl: string
  readonly account: LocalAccount
  readonly pollingIntervalMs: number
  /** How many blocks must stand above a transaction before it counts. */
  readonly confirmations: number
  /** Added to each gas limit, from 0 to {@link MAX_SALT}. */
  readonly salt: number
}

type Signed = { readonly raw: Hex; readonly hash: Hex; readonly nonce: number }

/** Creates the sender of an account. One account should have one sender per process. */
export function createSender(options: SenderOptions): Sender {
  const { rpc, rpcUrl } = options
  let last: Signed | undefined
  /** Those that somebody waits for, by nonce. */
  const awaited = new Map<number, Signed>()
  let chainId: number | undefined
  let tail: Promise<unknown> = Promise.resolve()

  /**
   * The chain's count may lag behind what was sent, and it may have rewound and forgotten what was sent: then those
   * that are awaited go first under the nonces they had, and those that had succeeded leave theirs to others.
   */
  async function findNonce(): Promise<number> {
    const counted = await countPending(options)
    if (last === undefined || counted > last.nonce) return counted
    if (await isKnown(rpc, last.hash)) return last.nonce + 1
    for (const signed of awaited.values()) await sendAgain(rpc, signed)
    return countPending(options)
  }

  function remember(signed: Signed): Signed {
    last = signed
    awaited.set(signed.nonce, signed)
    return signed
  }

  async function submit(request: TransactionRequest): Promise<Signed> {
    request.signal?.throwIfAborted()
    chainId ??= await rpc.getChainId()
    for (let attempt = 1; ; attempt++) {
      const nonce = request.nonce ?? (await findNonce())
      const signed = await sign(options, request, { nonce, chainId })
      try {
        await broadcast(rpc, signed.raw)
        return remember(signed)
      } catch (error) {
        if (await isKnown(rpc, signed.hash)) return remember(signed)
        last = undefined
        const taken = /nonce too low|nonce is too low|replacement|underpriced/i.test(String(error))
        if (!taken || request.nonce !== undefined || attempt === MAX_NONCE_ATTEMPTS) throw error
        await delay(options.pollingIntervalMs, request.signal)
      }
    }
  }

  return {
    async send(request) {
      try {
        const turn = tail.then(() => submit(request))
        tail = turn.catch(() => 'the next one has its own fate')
        const signed = await turn
        const receipt = await waitForReceipt(options, signed, request).finally(() => awaited.delete(signed.nonce))
        if (receipt.status === 'reverted') throw await explainRevert(options, request, receipt)
        return receipt
      } catch (error) {
        if (/insufficient funds|insufficient balance|exceeds the balance/i.test(String(error))) {
          throw new GasMoneyMissing(options.account.address, error)
        }
        throw asMemoError(error, { rpcUrl, doing: 'take a transaction' })
      }
    },
  }
}

async function countPending({ rpc, account }: SenderOptions): Promise<number> {
  return rpc.getTransactionCount({ address: account.address, blockTag: 'pending' })
}

async function sign(
  { rpc, account, salt }: SenderOptions,
  request: TransactionRequest,
  place: { readonly nonce: number; readonly chainId: number },
): Promise<Signed> {
  const { to, data, value = 0n } = request
  const call = { account: account.address, to: to ?? null, data, value } as const
  const [estimate, fees] = await Promise.all([rpc.estimateGas({ ...call, prepare: false }), rpc.estimateFeesPerGas()])
  const raw = await account.signTransaction({
    type: 'eip1559',
    ...place,
    gas: (estimate * GAS_MARGIN_PERCENT) / 100n + BigInt(salt & MAX_SALT),
    maxFeePerGas: fees.maxFeePerGas,
    maxPriorityFeePerGas: fees.maxPriorityFeePerGas,
    ...(to === undefined ? {} : { to }),
    data,
    value,
  })
  return { raw, hash: keccak256(raw), nonce: place.nonce }
}

async function broadcast(rpc: PublicClient, raw: Hex): Promise<void> {
  await rpc.sendRawTransaction({ serializedTransaction: raw })
}

async function isKnown(rpc: PublicClient, hash: Hex): Promise<boolean> {
  const known = await rpc.request({ method: 'eth_getTransactionByHash', params: [hash] })
  return known !== null
}

/** The receipt, once enough blocks stand above it; undefined as well while nobody answers, for it may be there. */
async function findFinalReceipt(
  rpc: PublicClient,
  hash: Hex,
  confirmations: number,
): Promise<TransactionReceipt | undefined> {
  try {
    const raw = await rpc.request({ method: 'eth_getTransactionReceipt', params: [hash] })
    if (raw === null) return undefined
    const receipt = formatTransactionReceipt(raw)
    if (confirmations === 0) return receipt
    const above = (await rpc.getBlockNumber()) - receipt.blockNumber
    return above >= BigInt(confirmations) ? receipt : undefined
  } catch (error) {
    if (isTransportFault(error)) return undefined
    throw error
  }
}

async function sendAgain(rpc: PublicClient, { raw, hash }: Signed): Promise<void> {
  try {
    if (!(await isKnown(rpc, hash))) await broadcast(rpc, raw)
  } catch (error) {
    if (!isTransportFault(error)) throw error
  }
}

async function waitForReceipt(
  { rpc, pollingIntervalMs, confirmations }: SenderOptions,
  signed: Signed,
  { signal, timeoutMs = RECEIPT_TIMEOUT_MS }: TransactionRequest,
): Promise<TransactionReceipt> {
  const startedMs = performance.now()
  for (let poll = 1; ; poll++) {
    const receipt = await findFinalReceipt(rpc, signed.hash, confirmations)
    if (receipt !== undefined) return receipt
    const waitedMs = Math.round(performance.now() - startedMs)
    if (waitedMs > timeoutMs) throw new ReceiptTimeout(signed.hash, waitedMs)
    await delay(pollingIntervalMs, signal)
    // A chain that lost its pool or rewound forgets transactions; the same bytes again do no harm.
    if (poll % POLLS_PER_RESEND === 0) await sendAgain(rpc, signed)
  }
}

/** Runs the call once more on the state it met, to learn the reason. */
async function explainRevert(
  { rpc, account }: SenderOptions,
  { to, data, value }: TransactionRequest,
  receipt: TransactionReceipt,
): Promise<Error> {
  try {
    await rpc.call({
      account: account.address,
      ...(to === undefined ? {} : { to }),
      data,
      ...(value === undefined ? {} : { value }),
      blockNumber: receipt.blockNumber - 1n,
    })
  } catch (error) {
    return decodeRevert(error) ?? (error as Error)
  }
  return new TransactionReverted(receipt.transactionHash)
}
