import type { Chain, Clock, OrderInfo } from '@memo/core'

/** Orders as the chain had them some seconds ago. */
export type OrderReader = {
  /**
   * The order with this number, or undefined where there is none. What is remembered is asked for anew, once, when it does
   * not satisfy `isEnough`: the chain may have moved since.
   */
  find(orderId: number, isEnough?: (order: OrderInfo) => boolean): Promise<OrderInfo | undefined>
  /** As the chain has it now. */
  refresh(orderId: number): Promise<OrderInfo | undefined>
}

/** Orders that are remembered; the one longest unused goes first. */
const MAX_ORDERS = 10_000

type Answer = { readonly atMs: number; readonly order: OrderInfo }

export function createOrderReader(options: {
  readonly chain: Pick<Chain, 'findOrder'>
  readonly clock: Clock
  /** How long an answer is believed. */
  readonly ttlMs: number
}): OrderReader {
  const { chain, clock, ttlMs } = options
  const answers = new Map<number, Answer>()
  /** Questions under way: those that come together are asked as one. */
  const asking = new Map<number, Promise<OrderInfo | undefined>>()

  const refresh = async (orderId: number): Promise<OrderInfo | undefined> => {
    const running = asking.get(orderId)
    if (running !== undefined) return await running
    const order = chain.findOrder(BigInt(orderId))
    asking.set(orderId, order)
    try {
      const found = await order
      answers.delete(orderId) // and added again: the one longest unused comes first
      if (found) answers.set(orderId, { atMs: clock.nowMs(), order: found })
      const [oldest] = answers.keys()
      if (answers.size > MAX_ORDERS && oldest !== undefined) answers.delete(oldest)
      return found
    } finally {
      asking.delete(orderId)
    }
  }
  return {
    refresh,
    async find(orderId, isEnough = () => true) {
      const known = answers.get(orderId)
      const ageMs = clock.nowMs() - (known?.atMs ?? 0)
      // The clock may jump back: an answer from the future is of no known age.
      const order = known && ageMs >= 0 && ageMs < ttlMs ? known.order : undefined
      return order && isEnough(order) ? order : await refresh(orderId)
    },
  }
}
