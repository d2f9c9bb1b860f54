import type { OrderMoney } from './money.ts'

/** Lets several plans at once spend the same free escrow without counting it twice. */
export type Purse = {
  /**
   * Plans with the escrow that is free, less what other plans are about to take. `ended` is to be called when the plan was
   * carried out or given up. A plan that does not find enough waits until the others have ended.
   */
  plan<T extends object>(decide: (freeAtto: bigint) => T, signal: AbortSignal): Promise<{ plan: T; ended(): void }>
}

export function createPurse(money: Pick<OrderMoney, 'getFreeEscrow'>): Purse {
  const taking = new Set<{ readonly atto: bigint; readonly ended: Promise<void> }>()
  let turn: Promise<unknown> = Promise.resolve()

  const decideNow = async <T extends object>(decide: (freeAtto: bigint) => T) => {
    for (;;) {
      const others = [...taking]
      const takenAtto = others.reduce((sum, { atto }) => sum + atto, 0n)
      const freeAtto = await money.getFreeEscrow()
      const plan = decide(freeAtto > takenAtto ? freeAtto - takenAtto : 0n)
      const cost = (plan as { costAtto?: unknown }).costAtto
      if (typeof cost === 'bigint') return { plan, ended: take(cost) }
      if (others.length === 0) return { plan, ended: () => undefined }
      await Promise.race(others.map(({ ended }) => ended))
    }
  }
  const take = (atto: bigint) => {
    let end: () => void = () => undefined
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    const share = { atto: atto > 0n ? atto : 0n, ended }
    taking.add(share)
    return () => {
      taking.delete(share)
      end()
    }
  }
  return {
    async plan(decide, signal) {
      const mine = turn.then(async () => {
        signal.throwIfAborted()
        return await decideNow(decide)
      })
      turn = mine.catch(() => undefined) // whoever asked has the error
      return await mine
    },
  }
}
