import { assert, type IndexStore } from '@memo/core'
import {
  type Address,
  type Hex,
  keccak256,
  type LocalAccount,
  type PublicClient,
  parseTransaction,
  type TransactionReceipt,
} from 'viem'
import { delay } from './delay.ts'
import { type GasBill, GasMoneyMissing, NonceTaken, ReceiptTimeout, TransactionReverted } from './errors.ts'
import { type Fees, type GasOptions, outbid, priceGas } from './fees.ts'
import type { Horizon } from './horizon.ts'
import { createJournal, createMemoryJournal, type Journal } from './journal.ts'
import { asMemoError, decodeRevert } from './revert.ts'
import { type Call, findFinalReceipt, findTaker, isKnown, offer, type Signed, signCall } from './transaction.ts'

/** How long a receipt may take; a stopped chain is reported, not waited for. */
export const RECEIPT_TIMEOUT_MS = 60_000
/** So many polls apart it is looked whether a transaction left the pool, or lies there. */
const POLLS_PER_LOOK = 20
/** Another process may use the same key; then the nonce is read again, so often at the most. */
const MAX_NONCE_ATTEMPTS = 5
/** Gas is estimated on the state of now; the state of the block may differ a little. */
const GAS_MARGIN_PERCENT = 125n
/** A transaction lies in the pool when so many blocks went by without it. */
const BLOCKS_UNTIL_STUCK = 2n
const REPLACE_AFTER_MS = 30_000
/** No transaction takes less. */
const TRANSFER_GAS = 21_000n
/** Calls without an end that are remembered, in case they are asked for again; the oldest goes first. */
const MAX_OPEN_ENDS = 64

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
  /**
   * What this is for, in printable ASCII. Under one key one transaction is made, also over crashes where the client has a
   * journal: the same key again waits for what was signed then, until {@link Sender.forget}.
   */
  readonly once?: string | undefined
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
}

/** Sends the transactions of one account in order and waits for their receipts. */
export type Sender = {
  /**
   * Resolves with the receipt of a transaction that succeeded. Where nobody says whether it arrived, or it lies in the pool,
   * only the same bytes are sent again, or the same call under the same nonce for a higher fee: it happens once. What ended
   * in `ReceiptTimeout` or was aborted, and is asked for again with the same bytes of data, is waited for again. Errors: `ContractRefused`
   * when it reverts (before it is sent, where that can be foreseen), `GasMoneyMissing`, `GasTooExpensive`,
   * `ReceiptTimeout`, `NonceTaken`, `RpcUnreachable`, `RpcRefused`.
   */
  send(request: TransactionRequest): Promise<TransactionReceipt>
  /** Lets a key be used for something new. */
  forget(once: string): Promise<void>
}

export type SenderOptions = {
  readonly rpc: PublicClient
  readonly rpcUrl: string
  readonly account: LocalAccount
  readonly horizon: Horizon
  readonly pollingIntervalMs: number
  /** How many blocks must stand above a transaction before it counts. */
  readonly confirmations: number
  readonly gas: GasOptions
  /** Keeps what is signed under a key. */
  readonly journal: IndexStore | undefined
  /** Added to each gas limit, from 0 to {@link MAX_SALT}. */
  readonly salt: number
}

/** One call under one nonce, in as many versions as fees were offered for it. */
type Attempt = {
  /** Which one this sender signed; 0 for those of an earlier run. */
  readonly order: number
  readonly call: Call
  readonly nonce: number
  readonly gas: bigint
  readonly versions: Signed[]
  readonly once: string | undefined
}

/** Makes an attempt durable where it has a key. */
type Keep = (attempt: Attempt) => Promise<void>

/** Creates the sender of an account. One account should have one sender per process. */
export function createSender(options: SenderOptions): Sender {
  const { rpc, rpcUrl, account, horizon, pollingIntervalMs } = options
  let last: Attempt | undefined
  /** Those that somebody waits for, by nonce. */
  const awaited = new Map<number, Attempt>()
  /** Those that nobody waits for any more and whose end nobody saw. */
  const openEnds: Attempt[] = []
  /** What runs under a key. */
  const running = new Map<string, Promise<TransactionReceipt>>()
  let chainId: number | undefined
  let signedCount = 0
  let opened: Journal | undefined
  let tail: Promise<unknown> = Promise.resolve()

  async function openJournal(): Promise<Journal> {
    chainId ??= await rpc.getChainId()
    const { journal: store } = options
    opened ??= store ? createJournal(store, { chainId, from: account.address }) : createMemoryJournal()
    return opened
  }

  async function keep(attempt: Attempt): Promise<void> {
    if (attempt.once === undefined) return
    const record = { nonce: attempt.nonce, gas: `${attempt.gas}`, raws: attempt.versions.map(({ raw }) => raw) }
    await (await openJournal()).save(attempt.once, record)
  }

  /**
   * The chain's count may lag behind what was sent, and it may have rewound and forgotten what was sent: then those
   * that are awaited go first under the nonces they had, and those that had succeeded leave theirs to others.
   */
  async function findNonce(): Promise<number> {
    const counted = await countPending(options)
    if (last === undefined || counted > last.nonce) return counted
    if (await isAnyKnown(rpc, last)) return last.nonce + 1
    if ((await horizon.isReached()) && (await isAnyKnown(rpc, last))) return last.nonce + 1
    for (const attempt of awaited.values()) await offer(rpc, newestOf(attempt))
    return countPending(options)
  }

  /** Signs and hands in; resolves when the chain has it, or may have it. */
  async function submit(request: TransactionRequest): Promise<Attempt> {
    const { signal, once } = request
    signal?.throwIfAborted()
    chainId ??= await rpc.getChainId()
    const call: Call = { to: request.to, data: request.data, value: request.value ?? 0n }
    for (let tries = 1; ; tries++) {
      const nonce = request.nonce ?? (await findNonce())
      const gas = await estimateGas(options, call)
      const fees = await priceGas(rpc, { gas, options: options.gas, pollingIntervalMs, signal })
      await assertPayable(options, call, { gas, fees })
      const signed = await signCall(account, { call, nonce, chainId, gas, fees })
      signedCount += 1
      const attempt: Attempt = { order: signedCount, call, nonce, gas, versions: [signed], once }
      await keep(attempt)
      const outcome = await offer(rpc, signed).catch((error: unknown) => {
        // Whatever a node says, it may have kept what it was given.
        leaveOpen(attempt)
        throw error
      })
      if (outcome !== 'refused') return remember(attempt)
      last = undefined
      if (request.nonce !== undefined || tries === MAX_NONCE_ATTEMPTS) {
        const taker = await findTaker(rpc, { from: account.address, nonce, confirmations: 0 })
        throw new NonceTaken(nonce, { hash: signed.hash, taker: taker ?? 'of another process' })
      }
      await delay(pollingIntervalMs, signal)
    }
  }

  function remember(attempt: Attempt): Attempt {
    last = attempt
    awaited.set(attempt.nonce, attempt)
    return attempt
  }

  /** What an earlier run signed under a key, or an earlier call that saw no end. */
  async function findEarlier({ once, ...request }: TransactionRequest): Promise<Attempt | undefined> {
    if (once === undefined) return request.nonce === undefined ? takeOpenEnd(nameOf(request)) : undefined
    const record = await (await openJournal()).find(once)
    if (record === undefined) return undefined
    const attempt = attemptFromRecord(once, record)
    const isSame = attempt.call.to?.toLowerCase() === request.to?.toLowerCase() && isSameFunction(attempt.call, request)
    assert(isSame, `the key ${once} was used for another call`)
    return attempt
  }

  async function settle(attempt: Attempt, request: TransactionRequest, isEarlier = false): Promise<TransactionReceipt> {
    const receipt = await waitForReceipt(options, attempt, { ...request, isEarlier, keep })
      .catch((error: unknown) => {
        if (!(error instanceof NonceTaken)) leaveOpen(attempt)
        throw error
      })
      .finally(() => {
        if (awaited.get(attempt.nonce) === attempt) awaited.delete(attempt.nonce)
      })
    horizon.saw(receipt.blockNumber, attempt.order)
    if (receipt.status !== 'reverted') return receipt
    // What failed did not happen: the same key may try again.
    if (attempt.once !== undefined) await (await openJournal()).forget(attempt.once)
    throw await explainRevert(options, attempt.call, receipt)
  }

  function leaveOpen(attempt: Attempt): void {
    if (attempt.once !== undefined) return
    openEnds.push(attempt)
    if (openEnds.length > MAX_OPEN_ENDS) openEnds.shift()
  }

  function takeOpenEnd(name: string): Attempt | undefined {
    const place = openEnds.findIndex(({ call }) => nameOf(call) === name)
    return place < 0 ? undefined : openEnds.splice(place, 1)[0]
  }

  async function sendOrResume(request: TransactionRequest): Promise<TransactionReceipt> {
    const earlier = await findEarlier(request)
    if (earlier !== undefined) {
      try {
        return await settle(earlier, request, true)
      } catch (error) {
        // Proof that it never counts: only then is anything signed anew.
        if (!(error instanceof NonceTaken)) throw error
      }
    }
    const turn = tail.then(() => submit(request))
    tail = turn.catch(() => 'the next one has its own fate')
    return await settle(await turn, request)
  }

  async function sendOnce(once: string, request: TransactionRequest): Promise<TransactionReceipt> {
    const other = running.get(once)
    if (other !== undefined) return await other
    const own = sendOrResume(request).finally(() => running.delete(once))
    running.set(once, own)
    return await own
  }

  return {
    async send(request) {
      try {
        return await (request.once === undefined ? sendOrResume(request) : sendOnce(request.once, request))
      } catch (error) {
        if (error instanceof GasMoneyMissing) throw error
        if (/insufficient funds|insufficient balance|exceeds the balance/i.test(String(error))) {
          throw new GasMoneyMissing(account.address, await findBill(options, request), error)
        }
        throw asMemoError(error, { rpcUrl, doing: 'take a transaction' })
      }
    },
    async forget(once) {
      await (await openJournal()).forget(once)
    },
  }
}

async function countPending({ rpc, account }: SenderOptions): Promise<number> {
  return rpc.getTransactionCount({ address: account.address, blockTag: 'pending' })
}

async function estimateGas({ rpc, account, salt }: SenderOptions, { to, data, value }: Call): Promise<bigint> {
  const estimate = await rpc.estimateGas({ account: account.address, to: to ?? null, data, value, prepare: false })
  return (estimate * GAS_MARGIN_PERCENT) / 100n + BigInt(salt & MAX_SALT)
}

/** Before anything is signed: what lacks money for its gas would lie there, or be refused by some nodes and kept by others. */
async function assertPayable(
  { rpc, account }: SenderOptions,
  { value }: Call,
  { gas, fees }: { readonly gas: bigint; readonly fees: Fees },
): Promise<void> {
  const needsWei = value + gas * fees.maxFeePerGas
  const hasWei = await rpc.getBalance({ address: account.address })
  if (hasWei < needsWei) throw new GasMoneyMissing(account.address, { needsWei, hasWei })
}

/** What lacks where a node refused before gas was known; undefined where it cannot be told. */
async function findBill(
  { rpc, account }: SenderOptions,
  { value = 0n }: TransactionRequest,
): Promise<GasBill | undefined> {
  try {
    const hasWei = await rpc.getBalance({ address: account.address })
    const needsWei = value + TRANSFER_GAS * (await rpc.getGasPrice())
    return hasWei < needsWei ? { needsWei, hasWei } : undefined
  } catch {
    return undefined // the refusal itself is what matters
  }
}

function newestOf({ versions }: Attempt): Signed {
  return versions[versions.length - 1] as Signed
}

async function isAnyKnown(rpc: PublicClient, { versions }: Attempt): Promise<boolean> {
  for (const { hash } of versions) if (await isKnown(rpc, hash)) return true
  return false
}

/** What a call does, to find it again. */
function nameOf({ to, data, value = 0n }: Pick<TransactionRequest, 'to' | 'data' | 'value'>): string {
  return `${to?.toLowerCase() ?? 'creation'} ${value} ${keccak256(data)}`
}

/** Whether two calls differ in arguments alone: permits in them are signed anew each time. */
function isSameFunction(call: Call, { data, value = 0n }: Pick<TransactionRequest, 'data' | 'value'>): boolean {
  return call.value === value && call.data.slice(0, 10) === data.slice(0, 10)
}

function attemptFromRecord(once: string, { nonce, gas, raws }: { nonce: number; gas: string; raws: readonly Hex[] }) {
  const versions = raws.map((raw) => {
    const { maxFeePerGas = 0n, maxPriorityFeePerGas = 0n } = parseTransaction(raw)
    return { raw, hash: keccak256(raw), fees: { maxFeePerGas, maxPriorityFeePerGas } }
  })
  const { to, data = '0x', value = 0n } = parseTransaction(raws[0] as Hex)
  const call: Call = { to: to ?? undefined, data, value }
  return { order: 0, call, nonce, gas: BigInt(gas), versions, once } satisfies Attempt
}

async function waitForReceipt(
  options: SenderOptions,
  attempt: Attempt,
  {
    signal,
    timeoutMs = RECEIPT_TIMEOUT_MS,
    isEarlier,
    keep,
  }: Pick<TransactionRequest, 'signal' | 'timeoutMs'> & { readonly isEarlier: boolean; readonly keep: Keep },
): Promise<TransactionReceipt> {
  const { rpc, pollingIntervalMs, confirmations } = options
  const startedMs = performance.now()
  const patience = createPatience(options)
  let fault: unknown
  for (let poll = 1; ; poll++) {
    for (const { hash } of attempt.versions) {
      const receipt = await findFinalReceipt(rpc, hash, confirmations)
      if (receipt !== undefined) return receipt
    }
    const waitedMs = Math.round(performance.now() - startedMs)
    if (waitedMs > timeoutMs) throw new ReceiptTimeout(newestOf(attempt).hash, waitedMs, fault, attempt.nonce)
    // What was signed earlier may never have left: it is looked for at once.
    if (poll % POLLS_PER_LOOK === 0 || (poll === 1 && isEarlier)) {
      fault = await faultOf(() => look(options, attempt, patience, keep))
    }
    await delay(pollingIntervalMs, signal)
  }
}

/** What went wrong in looking, which takes nothing back that was sent: the next look may be luckier. {@link NonceTaken} ends it. */
async function faultOf(work: () => Promise<void>): Promise<unknown> {
  try {
    await work()
    return undefined
  } catch (error) {
    if (error instanceof NonceTaken) throw error
    return error
  }
}

/** A chain that lost its pool or rewound forgets transactions, and one whose fees rose lets them lie. */
async function look(options: SenderOptions, attempt: Attempt, patience: Patience, keep: Keep): Promise<void> {
  const { rpc, account, confirmations, gas } = options
  if (!(await isAnyKnown(rpc, attempt))) {
    const taker = await findTaker(rpc, { from: account.address, nonce: attempt.nonce, confirmations })
    const isOwn = attempt.versions.some(({ hash }) => hash === taker)
    if (taker !== undefined && !isOwn) throw new NonceTaken(attempt.nonce, { hash: newestOf(attempt).hash, taker })
    // Without a taker a refusal says that another waits in the pool: it may never get into a block.
    if (isOwn || (await offer(rpc, newestOf(attempt))) !== 'cheap') return
  } else if (!(await patience.isOver())) return
  const fees = await outbid(rpc, newestOf(attempt).fees, gas.maxFeePerGasWei)
  if (fees === undefined) return
  const { call, nonce } = attempt
  const signed = await signCall(account, { call, nonce, gas: attempt.gas, chainId: await rpc.getChainId(), fees })
  attempt.versions.push(signed)
  await keep(attempt)
  await offer(rpc, signed)
  patience.renew()
}

type Patience = { isOver(): Promise<boolean>; renew(): void }

/** Over when time and blocks went by without the transaction: on a chain that stands still no fee helps. */
function createPatience({ rpc, gas: { replaceAfterMs = REPLACE_AFTER_MS } }: SenderOptions): Patience {
  let since: { readonly timeMs: number; readonly block: bigint } | undefined
  return {
    async isOver() {
      const block = await rpc.getBlockNumber()
      since ??= { timeMs: performance.now(), block }
      return performance.now() - since.timeMs >= replaceAfterMs && block - since.block >= BLOCKS_UNTIL_STUCK
    },
    renew() {
      since = undefined
    },
  }
}

/** Runs the call once more on the state it met, to learn the reason. */
async function explainRevert(
  { rpc, account }: SenderOptions,
  { to, data, value }: Call,
  receipt: TransactionReceipt,
): Promise<Error> {
  try {
    await rpc.call({
      account: account.address,
      ...(to === undefined ? {} : { to }),
      data,
      value,
      blockNumber: receipt.blockNumber - 1n,
    })
  } catch (error) {
    return decodeRevert(error) ?? (error as Error)
  }
  return new TransactionReverted(receipt.transactionHash)
}
