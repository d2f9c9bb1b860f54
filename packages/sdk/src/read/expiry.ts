import { hex32, type Manifest, NOBODY } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { secondsLeft } from '../orders/plan.ts'
import type { PartLocator } from './locate.ts'

/** Until when an object is stored, as the chain says now. */
export type ObjectExpiry = {
  /** Unix seconds: the end of what ends first, as far as epochs last what they count. */
  readonly expiresAt: number
  /** Orders that its pieces lie under; 0 stands for pieces that nobody pays for. */
  readonly orderIds: readonly number[]
}

/**
 * Until when the orders run that hold the pieces of an object (`spec/sdk.md` 19); pieces under none are kept until their
 * receipts end. Undefined for an object without pieces. Errors: those of locating its parts, and of the chain.
 */
export async function expiryOf(
  { chain, orders, ports }: StorageContext,
  locator: PartLocator,
  manifest: Manifest,
  options: { readonly owner?: string | undefined; readonly signal?: AbortSignal | undefined },
): Promise<ObjectExpiry | undefined> {
  const partIds = new Map(manifest.parts.map((part) => [hex32(part.partId), part.partId]))
  const ends: number[] = []
  const orderIds = new Set<number>()
  for (const partId of partIds.values()) {
    const { placement } = await locator.locate(partId, options.owner, options.signal)
    for (const { orderId, provider } of placement.pieces) {
      if (provider === NOBODY) continue
      orderIds.add(orders ? await orders.latestOf(orderId) : orderId)
      if (orderId === 0) ends.push(placement.expiry)
    }
  }
  const epochs = await chain.getEpochs()
  const nowSeconds = Math.floor(ports.clock.nowMs() / 1_000)
  for (const orderId of orderIds) {
    const order = orderId > 0 ? await chain.findOrder(BigInt(orderId)) : undefined
    if (order) ends.push(nowSeconds + secondsLeft(order.end, epochs))
  }
  return ends.length === 0 ? undefined : { expiresAt: Math.min(...ends), orderIds: [...orderIds] }
}
