import type { Hex } from './hex.ts'
import { effectiveTip, type PoolTx } from './pool-tx.ts'

/**
 * The order in which a block takes transactions: of every sender in nonce order, among senders the higher tip first
 * and then the earlier arrival (`spec/devnet.md` 3). What comes next depends on whether the last one fitted, so the
 * builder asks step by step.
 */
export class Candidates {
  readonly #baseFee: bigint
  /** Queues by sender; `#heads` is a binary heap of them by their first transaction. */
  readonly #heads: PoolTx[][] = []

  /** `queues` holds, for each sender, its executable transactions: by nonce, without a gap. */
  constructor(queues: ReadonlyMap<Hex, readonly PoolTx[]>, baseFee: bigint) {
    this.#baseFee = baseFee
    for (const queue of queues.values()) this.#push([...queue].reverse())
  }

  /** The next transaction, or undefined when nothing is left. */
  peek(): PoolTx | undefined {
    return this.#heads[0]?.at(-1)
  }

  /** The next transaction went into the block: its sender's following one becomes a candidate. */
  take(): void {
    const queue = this.#pop()
    if (queue === undefined) return
    queue.pop()
    this.#push(queue)
  }

  /** The next transaction did not go into the block, so none of its sender can. */
  pass(): void {
    this.#pop()
  }

  #before(a: PoolTx[], b: PoolTx[]): boolean {
    const first = a.at(-1)!
    const second = b.at(-1)!
    const firstTip = effectiveTip(first, this.#baseFee)
    const secondTip = effectiveTip(second, this.#baseFee)
    return firstTip === secondTip ? first.arrival < second.arrival : firstTip > secondTip
  }

  #push(queue: PoolTx[]): void {
    const head = queue.at(-1)
    if (head === undefined || head.feeCap < this.#baseFee) return
    const heap = this.#heads
    let index = heap.push(queue) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!this.#before(heap[index]!, heap[parent]!)) return
      swap(heap, index, parent)
      index = parent
    }
  }

  #pop(): PoolTx[] | undefined {
    const heap = this.#heads
    const top = heap[0]
    const last = heap.pop()
    if (top === undefined || last === undefined || heap.length === 0) return top
    heap[0] = last
    let index = 0
    for (;;) {
      let best = index
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < heap.length && this.#before(heap[child]!, heap[best]!)) best = child
      }
      if (best === index) return top
      swap(heap, index, best)
      index = best
    }
  }
}

function swap(heap: PoolTx[][], a: number, b: number): void {
  const held = heap[a]!
  heap[a] = heap[b]!
  heap[b] = held
}
