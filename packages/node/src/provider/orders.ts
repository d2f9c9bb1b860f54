import {
  type Address,
  type AmendmentTerms,
  amendmentDigest,
  type Chain,
  type Clock,
  type EpochInfo,
  type OrderInfo,
  type OrderTerms,
  orderDigest,
  ordersVerifierOf,
  type Quote,
  RECEIPT_LIFE_SECONDS,
  type Signer,
  type Timers,
} from '@memo/core'
import { NotServingError } from '../server/errors.ts'
import type { OrderReader } from '../server/order-reader.ts'
import { type AccountKey, accountKeyOf, type ByteAccounts, type Hold } from './byte-accounts.ts'
import type { ProviderLimits } from './limits.ts'
import { OrderRefusedError } from './money-errors.ts'
import type { Room } from './room.ts'
import type { UploadTerms } from './uploads.ts'

/** What a provider agrees to, and what may be stored under it (`spec/provider.md` 14 and 15). */
export type OrderDesk = {
  quote(): Promise<Quote>
  /** Signs an order of `account`. Errors: {@link OrderRefusedError}, {@link NotServingError}. */
  signOrder(account: Address, terms: OrderTerms): Promise<Uint8Array>
  /** Signs a change of an order of `account`. Errors: as above. */
  signAmendment(account: Address, terms: AmendmentTerms): Promise<Uint8Array>
  /** What reserves the bytes of an upload, at the moment at which it is called. Errors: {@link OrderRefusedError}. */
  admitUpload(terms: UploadTerms, signal?: AbortSignal): Promise<() => Hold>
  /** Until when a receipt given now runs, in unix seconds. Errors: {@link OrderRefusedError}. */
  getReceiptExpiry(account: Address, orderId: number): Promise<number>
  /** An order of `account` with this provider that is not over. Errors: {@link OrderRefusedError}. */
  getOwnOrder(account: Address, orderId: number): Promise<OrderInfo>
}

export type OrderDeskOptions = {
  readonly chain: Chain
  readonly clock: Clock
  readonly timers: Timers
  readonly signer: Signer
  readonly reader: OrderReader
  readonly accounts: ByteAccounts
  readonly room: Room
  readonly limits: Pick<ProviderLimits, 'maxOrderSeconds' | 'readWindowBytes' | 'unpaidBytesPerAccount' | 'orderWaitMs'>
}

/** An order that was signed must reach the chain so soon: prices and room do not stay as they are. */
const MAX_SUBMIT_SECONDS = 600
/** Clocks of user and provider may differ by so much. */
const CLOCK_SKEW_SECONDS = 60
/** An order may begin so many epochs from now: later it would hold room that nobody uses. */
const MAX_START_EPOCHS = 2n
/** Looks at the chain while an upload waits for its order, and uploads that wait at once. */
const WAIT_STEPS = 4
const MAX_WAITING = 64

export function createOrderDesk(options: OrderDeskOptions): OrderDesk {
  const { chain, clock, timers, signer, reader, accounts, room, limits } = options
  const verifier = ordersVerifierOf(chain.money)
  let waiting = 0
  const nowSeconds = () => Math.floor(clock.nowMs() / 1_000)

  const maxOrderEpochs = ({ epochSeconds }: EpochInfo) =>
    Math.max(1, Math.floor(limits.maxOrderSeconds / Number(epochSeconds)))

  /** What order and amendment are held to alike. */
  const assertFair = async (terms: AmendmentTerms | OrderTerms, knownBytes: bigint): Promise<void> => {
    const [found, epochs, unsoldBytes] = await Promise.all([room.find(), chain.getEpochs(), room.unsoldBytes()])
    if (!found) throw new NotServingError('provider', 'the chain does not count it as an active provider')
    const { sizeBytes, priceAttoPerGiBSecond, end, submitBy } = terms
    const price = found.account.storagePriceAttoPerGiBSecond
    if (priceAttoPerGiBSecond < price) {
      throw new OrderRefusedError('price', `this provider asks ${price} attomemo per GiB and second`, {
        fix: 'Ask for a quote and offer its price.',
        priceAttoPerGiBSecond: `${price}`,
      })
    }
    const most = maxOrderEpochs(epochs)
    if (end <= epochs.current + 1n || end > epochs.current + BigInt(most)) {
      throw new OrderRefusedError('length', `an order ends 2 to ${most} epochs from now`, {
        fix: 'Choose another end.',
        maxOrderEpochs: most,
        epoch: `${epochs.current}`,
      })
    }
    const wait = submitBy - BigInt(nowSeconds())
    if (wait <= 0n || wait > BigInt(MAX_SUBMIT_SECONDS + CLOCK_SKEW_SECONDS)) {
      throw new OrderRefusedError('submit-by', `what is signed now is submitted within ${MAX_SUBMIT_SECONDS} seconds`, {
        fix: 'Check this machine’s clock.',
        maxSubmitSeconds: MAX_SUBMIT_SECONDS,
      })
    }
    const grownBytes = sizeBytes - knownBytes
    if (grownBytes > BigInt(unsoldBytes)) {
      throw new OrderRefusedError('no-room', `this provider has ${unsoldBytes} bytes to sell, not ${grownBytes}`, {
        fix: 'Place the order with another provider.',
        freeBytes: unsoldBytes,
        neededBytes: `${grownBytes}`,
      })
    }
  }

  const assertOwn = (orderId: number, order: OrderInfo | undefined, account: Address): OrderInfo => {
    if (!order) {
      throw new OrderRefusedError('unknown-order', `there is no order ${orderId} on the chain`, {
        fix: 'Open the order first, or wait until the provider’s chain has its block.',
        orderId,
      })
    }
    if (order.provider !== signer.address) {
      throw new OrderRefusedError('other-provider', `order ${orderId} is with ${order.provider}`, {
        fix: 'Use an order with this provider.',
        orderId,
        provider: order.provider,
      })
    }
    if (order.user !== account) {
      throw new OrderRefusedError('other-user', `order ${orderId} is of another user`, {
        fix: 'Use an order of the account that signs.',
        orderId,
      })
    }
    return order
  }
  /** An order that still runs when the next epoch begins. */
  const getRunning = async (
    account: Address,
    orderId: number,
    find: (isRunning: (order: OrderInfo) => boolean) => Promise<OrderInfo | undefined> = (isRunning) =>
      reader.find(orderId, isRunning),
  ): Promise<{ readonly order: OrderInfo; readonly epochs: EpochInfo }> => {
    const epochs = await chain.getEpochs()
    const isRunning = (order: OrderInfo) => order.end > epochs.current + 1n
    const order = assertOwn(orderId, await find(isRunning), account)
    if (isRunning(order)) return { order, epochs }
    throw new OrderRefusedError('over', `order ${orderId} ends with epoch ${order.end}, and it is ${epochs.current}`, {
      fix: 'Renew the order, or open another.',
      orderId,
      end: `${order.end}`,
      epoch: `${epochs.current}`,
    })
  }
  /**
   * The order as soon as it is enough, for which a user may have to be waited for: the chain as this provider sees it can be
   * some blocks behind the one on which the user saw it opened or grown.
   */
  const findPatiently = async (
    orderId: number,
    isEnough: (order: OrderInfo) => boolean,
    signal: AbortSignal | undefined,
  ): Promise<OrderInfo | undefined> => {
    const order = await reader.find(orderId, isEnough)
    if ((order && isEnough(order)) || limits.orderWaitMs === 0 || waiting >= MAX_WAITING) return order
    waiting++
    try {
      let found = order
      for (let step = 0; step < WAIT_STEPS && !(found && isEnough(found)); step++) {
        await timers.sleep(limits.orderWaitMs / WAIT_STEPS, signal)
        found = await reader.refresh(orderId)
      }
      return found
    } finally {
      waiting--
    }
  }
  /** What was given up is kept for its window: as much again as the order has is free, and more takes its room. */
  const countedBytes = (key: AccountKey, sizeBytes: number) =>
    accounts.usedBytes(key) + Math.max(0, accounts.keptBytes(key) - sizeBytes)
  /** Reserves under the order or the account without one, or refuses: nothing comes between check and reservation. */
  const reserve = ({ account, orderId, maxBytes }: UploadTerms, mostBytes: number): Hold => {
    const key = accountKeyOf({ account, orderId })
    const usedBytes = countedBytes(key, mostBytes)
    if (usedBytes + maxBytes <= mostBytes) return accounts.reserve(key, maxBytes)
    const numbers = { orderId, sizeBytes: mostBytes, usedBytes, neededBytes: maxBytes }
    if (orderId === 0) {
      throw new OrderRefusedError('unpaid', `this provider stores ${mostBytes} bytes for an account without an order`, {
        fix: 'Open an order with this provider and upload under it.',
        ...numbers,
      })
    }
    throw new OrderRefusedError(
      'too-small',
      `order ${orderId} has ${mostBytes} bytes, and ${usedBytes} count, with those given up that are still kept beyond its size`,
      {
        fix: 'Amend the order to a larger size, or wait until what was given up is beyond dispute.',
        ...numbers,
      },
    )
  }

  return {
    async quote() {
      const [found, epochs, freeBytes] = await Promise.all([room.find(), chain.getEpochs(), room.unsoldBytes()])
      if (!found) throw new NotServingError('provider', 'the chain does not count it as an active provider')
      const { storagePriceAttoPerGiBSecond, retrievalPriceAttoPerByte } = found.account
      return {
        provider: signer.address,
        priceAttoPerGiBSecond: storagePriceAttoPerGiBSecond,
        retrievalPriceAttoPerByte,
        freeBytes,
        maxOrderEpochs: maxOrderEpochs(epochs),
        readWindowBytes: limits.readWindowBytes,
      }
    },
    async signOrder(account, terms) {
      const { provider, sizeBytes, start, end } = terms
      if (provider !== signer.address || terms.user !== account) {
        const fix = 'Ask the provider that the order names, as the user whom it names.'
        throw new OrderRefusedError('other-provider', `the order is with ${provider}`, { fix, provider })
      }
      await assertFair(terms, 0n)
      const { current } = await chain.getEpochs()
      if (sizeBytes === 0n) throw new OrderRefusedError('too-small', 'an order of no bytes', { fix: 'Choose a size.' })
      if (start > current + MAX_START_EPOCHS || start >= end) {
        throw new OrderRefusedError('length', `an order begins at most ${MAX_START_EPOCHS} epochs from now`, {
          fix: 'Choose the next epoch as its start.',
          epoch: `${current}`,
        })
      }
      return await signer.signDigest(orderDigest(verifier, terms))
    },
    async signAmendment(account, terms) {
      const orderId = Number(terms.orderId)
      const order = assertOwn(orderId, await reader.refresh(orderId), account)
      const { current } = await chain.getEpochs()
      if (order.seq !== terms.seq || order.end <= current) {
        const isOver = order.end <= current
        const message = isOver ? `order ${orderId} is over` : `order ${orderId} takes the change ${order.seq} next`
        throw new OrderRefusedError(isOver ? 'over' : 'stale', message, {
          fix: isOver ? 'Open another order.' : 'Read the order and sign again.',
          orderId,
          seq: `${order.seq}`,
        })
      }
      const usedBytes = accounts.usedBytes(`order ${orderId}`)
      if (terms.sizeBytes < BigInt(Math.max(1, usedBytes))) {
        throw new OrderRefusedError('too-small', `${usedBytes} bytes are held under order ${orderId}`, {
          fix: 'Give up pieces first, or choose a larger size.',
          orderId,
          usedBytes,
        })
      }
      await assertFair(terms, order.liableBytes)
      return await signer.signDigest(amendmentDigest(verifier, terms))
    },
    async admitUpload(terms, signal) {
      const { account, orderId, maxBytes } = terms
      if (orderId === 0) return () => reserve(terms, limits.unpaidBytesPerAccount)
      const key = accountKeyOf(terms)
      const isEnough = (order: OrderInfo) => countedBytes(key, sizeOf(order)) + maxBytes <= sizeOf(order)
      const isAnothers = (order: OrderInfo) => order.user !== account || order.provider !== signer.address
      const { order } = await getRunning(account, orderId, (isRunning) =>
        findPatiently(orderId, (found) => isAnothers(found) || (isRunning(found) && isEnough(found)), signal),
      )
      return () => reserve(terms, sizeOf(order))
    },
    async getReceiptExpiry(account, orderId) {
      if (orderId === 0) return nowSeconds() + RECEIPT_LIFE_SECONDS
      const { order, epochs } = await getRunning(account, orderId)
      const seconds = Number((order.end - epochs.current) * epochs.epochSeconds)
      return nowSeconds() + Math.min(seconds, RECEIPT_LIFE_SECONDS)
    },
    getOwnOrder: async (account, orderId) => (await getRunning(account, orderId)).order,
  }
}

/** What an order has room for: its newest size, which is locked for from the moment at which it is on the chain. */
export function sizeOf({ segments }: OrderInfo): number {
  return Number(segments.at(-1)?.sizeBytes ?? 0n)
}
