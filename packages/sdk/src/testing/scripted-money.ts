import {
  type Address,
  type AmendmentTerms,
  type Chain,
  maxOf,
  type OrderInfo,
  type OrderTerms,
  type ReadAllowanceInfo,
  RemoteError,
} from '@memo/core'
import type { OrderMoney } from '../orders/money.ts'
import { epochCostAtto } from '../orders/plan.ts'

/** A chain of tests that can be told of orders and allowances. */
type TellableChain = Chain & {
  setOrder(orderId: bigint, order: OrderInfo): void
  setReadAllowance(orderId: bigint, payer: Address, allowance: ReadAllowanceInfo): void
}

/** The contracts of escrow, orders and reads for one account, kept in memory: as strict as they, and as forgetful as is said. */
export type ScriptedMoney = OrderMoney & {
  /** Names of the calls so far. */
  readonly calls: string[]
  /** Orders that were opened, by number. */
  readonly orders: Map<bigint, OrderInfo>
  freeAtto: bigint
  /** Called before and after every call; what it throws is what the caller gets, whatever was done. */
  hook: ((call: string, when: 'before' | 'after') => void | Promise<void>) | undefined
}

export function createScriptedMoney(options: {
  readonly chain: TellableChain
  readonly account: Address
  readonly freeAtto: bigint
}): ScriptedMoney {
  const { chain, account } = options
  const orders = new Map<bigint, OrderInfo>()
  const nonces = new Map<bigint, bigint>()
  const allowances = new Map<bigint, ReadAllowanceInfo>()
  const calls: string[] = []
  /** Keys under which something was sent, as the journal of a sender has them. */
  const sent = new Set<string>()

  const called = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    calls.push(name)
    await money.hook?.(name, 'before')
    const done = await work()
    await money.hook?.(name, 'after')
    return done
  }
  const lock = (atto: bigint) => {
    if (atto > money.freeAtto) throw refused('EscrowTooSmall')
    money.freeAtto -= atto
  }
  const segmentOf = (
    from: bigint,
    { sizeBytes, priceAttoPerGiBSecond }: AmendmentTerms | OrderTerms,
    seconds: bigint,
  ) => {
    const cost = epochCostAtto(Number(sizeBytes), priceAttoPerGiBSecond, seconds)
    return { from, sizeBytes, priceAttoPerGiBSecond, incomePerEpochAtto: (cost * 100n) / 105n, costPerEpochAtto: cost }
  }
  const tell = (orderId: bigint, order: OrderInfo) => {
    orders.set(orderId, order)
    chain.setOrder(orderId, order)
  }
  const assertInTime = async (submitBy: bigint) => {
    if (BigInt((await chain.getBlock()).timestamp) > submitBy) throw refused('SubmittedTooLate')
  }
  const open = async (terms: OrderTerms) => {
    await assertInTime(terms.submitBy)
    if (nonces.has(terms.nonce)) throw refused('NonceUsed')
    const { current, epochSeconds } = await chain.getEpochs()
    const start = terms.start > current + 1n ? terms.start : current + 1n
    const segment = segmentOf(start, terms, epochSeconds)
    lock(segment.costPerEpochAtto * (terms.end - start))
    const orderId = BigInt(orders.size + 1)
    nonces.set(terms.nonce, orderId)
    tell(orderId, {
      user: terms.user,
      provider: terms.provider,
      group: 1,
      start,
      end: terms.end,
      seq: 1n,
      lockedAtto: segment.costPerEpochAtto * (terms.end - start),
      settledTo: start,
      liableBytes: terms.sizeBytes,
      segments: [segment],
    })
    return orderId
  }
  const amend = async (terms: AmendmentTerms) => {
    await assertInTime(terms.submitBy)
    const order = orders.get(terms.orderId)
    if (!order) throw refused('UnknownOrder')
    if (order.seq !== terms.seq) throw refused('StaleAmendment')
    const { current, epochSeconds } = await chain.getEpochs()
    const from = current + 1n > order.start ? current + 1n : order.start
    if (order.end <= from) throw refused('OrderOver')
    const last = order.segments.at(-1)!
    const segment = segmentOf(from, terms, epochSeconds)
    const more = segment.costPerEpochAtto * (terms.end - from) - last.costPerEpochAtto * (order.end - from)
    lock(more)
    const segments = [...order.segments.filter((one) => one.from < from), segment]
    const { end, sizeBytes } = terms
    tell(terms.orderId, {
      ...order,
      end,
      seq: order.seq + 1n,
      lockedAtto: order.lockedAtto + more,
      liableBytes: maxOf(sizeBytes, order.liableBytes),
      segments,
    })
  }
  const allow = async (orderId: bigint, sizeBytes: bigint) => {
    const before = await chain.getReadAllowance(orderId, account)
    const provider = orders.get(orderId)?.provider
    if (!provider) throw refused('UnknownOrder')
    const price = (await chain.findAccount(provider))?.retrievalPriceAttoPerByte ?? 0n
    lock(sizeBytes * price)
    const next = { ...before, priceAttoPerByte: price, bytesAllowed: before.bytesAllowed + sizeBytes }
    allowances.set(orderId, next)
    chain.setReadAllowance(orderId, account, next)
  }

  const money: ScriptedMoney = {
    calls,
    orders,
    freeAtto: options.freeAtto,
    hook: undefined,
    account,
    money: chain.money,
    getBlock: async () => await called('getBlock', async () => await chain.getBlock()),
    getEpochs: async () => await called('getEpochs', async () => await chain.getEpochs()),
    findOrder: async (orderId) => await called('findOrder', async () => orders.get(orderId)),
    getReadAllowance: async (orderId, payer) =>
      await called('getReadAllowance', async () => await chain.getReadAllowance(orderId, payer)),
    findProvider: async (address) => await called('findProvider', async () => await chain.findAccount(address)),
    getFreeEscrow: async () => await called('getFreeEscrow', async () => money.freeAtto),
    isNonceUsed: async (nonce) => await called('isNonceUsed', async () => nonces.has(nonce)),
    findOpened: async (nonce) => await called('findOpened', async () => nonces.get(nonce)),
    listOwnOrders: async () => await called('listOwnOrders', async () => [...orders.keys()]),
    openOrder: async (terms) => await called('openOrder', async () => await open(terms)),
    amendOrder: async (terms) => await called('amendOrder', async () => await amend(terms)),
    allowReads: async (orderId, sizeBytes, _maxPrice, once) =>
      await called('allowReads', async () => {
        if (!sent.has(once)) await allow(orderId, BigInt(sizeBytes))
        sent.add(once)
      }),
    forgetSent: async (once) => await called('forgetSent', async () => void sent.delete(once)),
  }
  return money
}

function refused(reason: string): RemoteError {
  const details = { reason }
  return new RemoteError({
    error: { name: 'ContractRefused', message: reason, blame: 'user', retry: 'never', details },
  })
}
