import { getEscrow, type IncomeMark, type MemoChain, pinEpoch, readProviderIncome, settleOrder } from '@memo/chain'
import { type Address, type Earnings, incomeUntil, minOf } from '@memo/core'

/** What a provider has earned as far as the chain alone can tell: vouchers that it holds are its own affair. */
export type ChainEarnings = Omit<Earnings, 'reading'> & { readonly reading: { readonly redeemedAtto: bigint } }

/** Sums what the chain paid a provider and what its orders brought since (`spec/orders.md` 11 and 14). */
export async function readChainEarnings(chain: MemoChain, provider: Address): Promise<ChainEarnings> {
  const { client, addresses } = chain
  const { ids, settled, redeemed, block } = await readIncome(chain, provider)
  const [{ freeAtto }, { current }, orders] = await Promise.all([
    getEscrow(client, { addresses, account: provider }),
    chain.getEpochs(),
    listUnsettled(chain, ids),
  ])
  const waitingAtto = orders.reduce((sum, { order }) => sum + incomeUntil(order, current), 0n)
  return {
    storing: { settledAtto: settled, waitingAtto, orders: orders.length },
    reading: { redeemedAtto: redeemed },
    escrowFreeAtto: freeAtto,
    block,
  }
}

/**
 * Pays out all epochs of a provider's orders that are beyond dispute, and pins the epoch, so that the windows of the others
 * close; `chain` has whatever account pays the gas.
 */
export async function settleAll(chain: MemoChain, provider: Address, signal: AbortSignal): Promise<void> {
  const { client, addresses } = chain
  const { ids } = await readIncome(chain, provider)
  const orders = await listUnsettled(chain, ids)
  for (const { orderId } of orders) {
    for (let settledTo = -1n; ; ) {
      const [order, { closedBefore }] = await Promise.all([chain.findOrder(orderId), chain.getEpochs()])
      if (!order || order.settledTo >= minOf(closedBefore, order.end) || order.settledTo === settledTo) break
      settledTo = order.settledTo
      await settleOrder(client, { addresses, orderId, signal })
    }
  }
  if (orders.length > 0) await pinEpoch(client, { addresses, signal })
}

/** Events name orders of all providers; which are ours, their openings say. */
async function readIncome(chain: MemoChain, provider: Address) {
  const { client, addresses } = chain
  const ids = new Set<bigint>()
  let [settled, redeemed] = [0n, 0n]
  let after: IncomeMark | undefined
  for (let isLast = false; !isLast; ) {
    const stretch = await readProviderIncome(client, { addresses, provider, after })
    for (const event of stretch.events) {
      if (event.type === 'order-opened') ids.add(event.orderId)
      else if (!ids.has(event.orderId)) continue
      else if (event.type === 'order-settled') settled += event.incomeAtto
      else if (event.type === 'reads-paid') redeemed += event.amountAtto
    }
    after = stretch.mark
    isLast = stretch.isLast
  }
  return { ids, settled, redeemed, block: after?.block ?? 0 }
}

async function listUnsettled(chain: MemoChain, ids: ReadonlySet<bigint>) {
  const found = await Promise.all([...ids].map(async (orderId) => ({ orderId, order: await chain.findOrder(orderId) })))
  return found.flatMap(({ orderId, order }) => (order && order.settledTo < order.end ? [{ orderId, order }] : []))
}
