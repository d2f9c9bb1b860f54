import type { Hex } from './hex.ts'
import type { PoolTx } from './pool-tx.ts'
import { serverError } from './rpc/errors.ts'

/** Transactions in the pool, and of one sender: enough for a large presigned batch, bounded in memory. */
export const MAX_POOL_TXS = 16_384
export const MAX_SENDER_TXS = 8_192

/** A replacement raises both fee caps by at least this many per cent, as in geth. */
const REPLACEMENT_BUMP_PERCENT = 10n

/** What the pool must know of a sender's account at the head. */
export type SenderAccount = { readonly nonce: number; readonly balance: bigint }

/** What one sender has waiting. */
type Queue = { readonly byNonce: Map<number, PoolTx>; cost: bigint }

/** Transactions that wait for a block: by sender and nonce. A gap waits; nothing here is stored. */
export class Mempool {
  readonly #queues: Map<Hex, Queue> = new Map()
  readonly #byHash: Map<Hex, PoolTx> = new Map()

  get size(): number {
    return this.#byHash.size
  }

  senders(): Hex[] {
    return [...this.#queues.keys()]
  }

  find(hash: Hex): PoolTx | undefined {
    return this.#byHash.get(hash)
  }

  /** @throws {RpcError} in geth's words when the transaction cannot wait here. */
  add(tx: PoolTx, account: SenderAccount): void {
    if (this.#byHash.has(tx.hash)) throw serverError('already known')
    if (tx.nonce < account.nonce) {
      throw serverError(`nonce too low: next nonce ${account.nonce}, tx nonce ${tx.nonce}`)
    }
    const replaced = this.#queues.get(tx.sender)?.byNonce.get(tx.nonce)
    if (replaced !== undefined && !outbids(tx, replaced)) throw serverError('replacement transaction underpriced')
    this.#assertFunds(tx, replaced, account)
    if (replaced === undefined) this.#makeRoom(tx, account)
    else this.remove(replaced.hash)
    const queue = this.#queues.get(tx.sender) ?? { byNonce: new Map<number, PoolTx>(), cost: 0n }
    this.#queues.set(tx.sender, queue)
    queue.byNonce.set(tx.nonce, tx)
    queue.cost += tx.cost
    this.#byHash.set(tx.hash, tx)
  }

  /** The nonce that follows what the account has done and what waits without a gap. */
  nextNonce(sender: Hex, accountNonce: number): number {
    const waiting = this.#queues.get(sender)?.byNonce
    let nonce = accountNonce
    while (waiting?.has(nonce) === true) nonce += 1
    return nonce
  }

  /** A sender's transactions from its account nonce on, up to the first gap. */
  executable(sender: Hex, accountNonce: number): PoolTx[] {
    const waiting = this.#queues.get(sender)?.byNonce
    const ready: PoolTx[] = []
    for (let tx = waiting?.get(accountNonce); tx !== undefined; tx = waiting?.get(tx.nonce + 1)) ready.push(tx)
    return ready
  }

  /** Forgets a transaction: it was mined, or can never be. */
  remove(hash: Hex): void {
    const tx = this.#byHash.get(hash)
    if (tx === undefined) return
    this.#byHash.delete(hash)
    const queue = this.#queues.get(tx.sender)!
    queue.byNonce.delete(tx.nonce)
    queue.cost -= tx.cost
    if (queue.byNonce.size === 0) this.#queues.delete(tx.sender)
  }

  /** Forgets what the account's nonce has overtaken. */
  removeBelow(sender: Hex, accountNonce: number): void {
    for (const tx of [...(this.#queues.get(sender)?.byNonce.values() ?? [])]) {
      if (tx.nonce < accountNonce) this.remove(tx.hash)
    }
  }

  #assertFunds(tx: PoolTx, replaced: PoolTx | undefined, account: SenderAccount): void {
    const problem = 'insufficient funds for gas * price + value'
    if (tx.cost > account.balance) {
      const overshot = tx.cost - account.balance
      throw serverError(`${problem}: balance ${account.balance}, tx cost ${tx.cost}, overshot ${overshot}`)
    }
    const queued = (this.#queues.get(tx.sender)?.cost ?? 0n) - (replaced?.cost ?? 0n)
    const overshot = queued + tx.cost - account.balance
    if (overshot > 0n) {
      throw serverError(
        `${problem}: balance ${account.balance}, queued cost ${queued}, tx cost ${tx.cost}, overshot ${overshot}`,
      )
    }
  }

  /** A full pool gives up a transaction behind a gap for one that can be mined, and refuses otherwise. */
  #makeRoom(tx: PoolTx, account: SenderAccount): void {
    if ((this.#queues.get(tx.sender)?.byNonce.size ?? 0) >= MAX_SENDER_TXS) throw serverError('account limit exceeded')
    if (this.#byHash.size < MAX_POOL_TXS) return
    const victim = tx.nonce === this.nextNonce(tx.sender, account.nonce) ? this.#findGapped() : undefined
    if (victim === undefined) throw serverError('txpool is full')
    this.remove(victim.hash)
  }

  /** The last transaction of the first sender that has a gap inside its own queue. */
  #findGapped(): PoolTx | undefined {
    for (const { byNonce } of this.#queues.values()) {
      const nonces = [...byNonce.keys()].sort((a, b) => a - b)
      const last = nonces.at(-1)!
      if (last - nonces[0]! >= nonces.length) return byNonce.get(last)
    }
    return undefined
  }
}

function outbids(tx: PoolTx, replaced: PoolTx): boolean {
  const bumped = (fee: bigint): bigint => (fee * (100n + REPLACEMENT_BUMP_PERCENT)) / 100n
  return (
    tx.feeCap > replaced.feeCap &&
    tx.tipCap > replaced.tipCap &&
    tx.feeCap >= bumped(replaced.feeCap) &&
    tx.tipCap >= bumped(replaced.tipCap)
  )
}
