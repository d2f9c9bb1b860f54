import type { MemoChain } from '@memo/chain'
import type { Chain, IndexStore } from '@memo/core'
import { createOrders, type OrderPolicy, type Orders, type OrdersOptions } from '@memo/sdk'
import { createOrderMoney } from '@memo/sdk/chain'
import type { GatewayEventSink } from './events.ts'
import { gatewayEventOf } from './order-events.ts'

/** The orders of the gateway's account, out of its escrow (`spec/gateway.md` 18). */
export function openOrders(options: {
  readonly ports: OrdersOptions['ports']
  readonly chain: Chain
  readonly contracts: MemoChain
  readonly store: IndexStore
  readonly policy: Partial<OrderPolicy> | undefined
  readonly log: GatewayEventSink
}): Orders {
  const { contracts, log, policy, ...rest } = options
  return createOrders({
    ...rest,
    // Strangers choose what a gateway reads: under orders of others it reads what providers serve unpaid.
    policy: { paysForOthers: false, ...policy },
    money: createOrderMoney(contracts),
    onEvent: (event) => log(gatewayEventOf(event)),
    onFault: (fault) => log({ type: 'node-fault', level: 'warn', ...fault }),
  })
}
