import type { IndexStore } from '@memo/core'
import { createMemoryIndexStore, TEST_NETWORK } from '@memo/core/testing'
import { createOrders, type NodeFault, type OrderEvent, type OrderPolicy, type Orders, type Storage } from '@memo/sdk'
import { createScriptedMoney, type ScriptedMoney } from '@memo/sdk/testing'
import type { World } from './world.ts'

const MEMO = 10n ** 18n
export const PRICE_ATTO = 1_000n
export const READ_PRICE_ATTO = 3n

/** Somebody who pays, in a world of tests: a book, its money, and a storage that uses it. */
export type Payer = {
  readonly money: ScriptedMoney
  readonly store: IndexStore
  readonly events: OrderEvent[]
  readonly faults: NodeFault[]
  readonly orders: Orders
  readonly storage: Storage
  /** Another book over the same store and money, as after a restart. */
  again(policy?: Partial<OrderPolicy>): Pick<Payer, 'orders' | 'storage'>
}

export function createPayer(
  world: World,
  options: {
    readonly freeAtto?: bigint
    readonly policy?: Partial<OrderPolicy>
    readonly store?: IndexStore
  } = {},
): Payer {
  for (const { address } of world.providers) {
    const prices = { storagePriceAttoPerGiBSecond: PRICE_ATTO, retrievalPriceAttoPerByte: READ_PRICE_ATTO }
    world.chain.setAccount({ address, role: 'provider', ...prices })
  }
  const { signer } = world.owner
  const { freeAtto = MEMO, store = createMemoryIndexStore() } = options
  const money = createScriptedMoney({ chain: world.chain, account: signer.address, freeAtto })
  const events: OrderEvent[] = []
  const faults: NodeFault[] = []
  const ports = {
    network: TEST_NETWORK,
    transport: world.transport,
    clock: world.time.clock,
    timers: world.time.timers,
    random: world.random.fork('payer'),
    signer,
  }
  const again: Payer['again'] = (policy = options.policy) => {
    const orders = createOrders({
      ports,
      chain: world.chain,
      money,
      store,
      policy,
      onEvent: (event) => void events.push(event),
      onFault: (fault) => void faults.push(fault),
    })
    return { orders, storage: world.open({ orders }) }
  }
  return { money, store, events, faults, again, ...again() }
}
