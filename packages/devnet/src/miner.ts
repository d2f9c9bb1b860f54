import type { Chain } from './chain.ts'

/** When blocks are made (`spec/devnet.md` 3). */
export type Mining =
  /** As soon as a transaction can be mined; what waits at that moment shares a block. */
  | { readonly mode: 'auto' }
  /** A block every `ms`; with `empty: false` only when a transaction can be mined. */
  | { readonly mode: 'interval'; readonly ms: number; readonly empty?: boolean }

/** Makes blocks: as transactions arrive or by a timer, and by an idle heartbeat. */
export class Miner {
  readonly #chain: Chain
  readonly #mining: Mining
  readonly #heartbeatMs: number | undefined
  #interval: NodeJS.Timeout | undefined
  #heartbeat: NodeJS.Timeout | undefined
  #draining: Promise<void> = Promise.resolve()
  #isDraining = false
  #isDirty = false
  #isStopped = false

  constructor(chain: Chain, mining: Mining, heartbeatMs: number | undefined) {
    this.#chain = chain
    this.#mining = mining
    this.#heartbeatMs = heartbeatMs
  }

  start(): void {
    if (this.#mining.mode === 'interval') this.#armInterval(this.#mining.ms, this.#mining.empty ?? true)
    this.#armHeartbeat()
  }

  /** Something may have become minable: a transaction arrived, or a block changed the base fee. */
  poke(): void {
    if (this.#mining.mode !== 'auto' || this.#isStopped) return
    this.#isDirty = true
    if (this.#isDraining) return
    this.#isDraining = true
    this.#draining = this.#drain()
  }

  /** Begins no block after this; resolves when the loop has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#interval)
    clearTimeout(this.#heartbeat)
    await this.#draining
  }

  /**
   * Mines until nothing minable waits. The flag is read and the loop declared over in one turn: a transaction that
   * arrives while the pool is being looked at is looked at again, and never stranded.
   */
  async #drain(): Promise<void> {
    while (this.#isDirty && !this.#isStopped) {
      this.#isDirty = false
      await nextTurn()
      while (!this.#isStopped && (await this.#mineWaiting())) await nextTurn()
    }
    this.#isDraining = false
  }

  async #mineWaiting(): Promise<boolean> {
    // A block that cannot be stored stops the chain, which tells its owner; here it only ends the loop.
    const mined = await this.#chain.mineWaiting().catch(() => undefined)
    if (mined !== undefined) this.#armHeartbeat()
    return mined !== undefined
  }

  #armInterval(ms: number, empty: boolean, delayMs: number = ms): void {
    const dueAt = performance.now() + delayMs
    const tick = async (): Promise<void> => {
      // As above: the chain tells its owner.
      if (empty) await this.#chain.mine().catch(() => undefined)
      else await this.#mineWaiting()
      if (!this.#isStopped) this.#armInterval(ms, empty, Math.max(0, ms - (performance.now() - dueAt)))
    }
    this.#interval = setTimeout(() => void tick(), delayMs)
  }

  #armHeartbeat(): void {
    clearTimeout(this.#heartbeat)
    if (this.#heartbeatMs === undefined || this.#isStopped) return
    const beat = async (): Promise<void> => {
      // As above: the chain tells its owner.
      await this.#chain.mine().catch(() => undefined)
      this.#armHeartbeat()
      this.poke()
    }
    this.#heartbeat = setTimeout(() => void beat(), this.#heartbeatMs)
  }
}

/** Lets what the network brought in this turn arrive first. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
