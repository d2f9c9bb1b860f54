import type { Address, Clock } from '@memo/core'

/** Nodes that failed a short while ago. They are asked last, never refused for good. */
export type Suspects = {
  add(address: Address): void
  has(address: Address): boolean
  list(): readonly Address[]
}

export function createSuspects(clock: Clock, suspectMs: number): Suspects {
  const until = new Map<Address, number>()
  const has = (address: Address) => {
    const untilMs = until.get(address)
    if (untilMs === undefined) return false
    if (untilMs > clock.nowMs()) return true
    until.delete(address)
    return false
  }
  return {
    add: (address) => void until.set(address, clock.nowMs() + suspectMs),
    has,
    list: () => [...until.keys()].filter(has),
  }
}
