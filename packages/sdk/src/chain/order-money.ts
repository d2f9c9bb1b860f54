import {
  allowReads,
  amendOrder,
  findAccount,
  getEscrow,
  isOrderNonceUsed,
  listOpenedOrders,
  type MemoChain,
  openOrder,
  withOnce,
} from '@memo/chain'
import { assert, findAddress } from '@memo/core'
import type { OrderMoney } from '../orders/money.ts'

/** How far back orders are looked for whose book was lost: some months, which are some hundred questions. */
const LOOK_BACK_BLOCKS = 1_000_000

/**
 * The money of the account with which `chain` was connected; nothing of it is cached. Where its client has a journal, what is
 * sent is sent once over crashes as well.
 */
export function createOrderMoney(chain: MemoChain): OrderMoney {
  const { client, addresses } = chain
  const account = findAddress(client.account?.address)
  assert(account, 'a chain that is connected with an account')
  return {
    account,
    money: chain.money,
    getBlock: chain.getBlock,
    findOrder: chain.findOrder,
    getEpochs: chain.getEpochs,
    getReadAllowance: chain.getReadAllowance,
    findProvider: async (address) => await findAccount(client, { addresses, address }),
    getFreeEscrow: async () => (await getEscrow(client, { addresses, account })).freeAtto,
    isNonceUsed: async (nonce) => await isOrderNonceUsed(client, { addresses, user: account, nonce }),
    async findOpened(nonce, fromBlock) {
      const opened = await listOpenedOrders(client, { addresses, user: account, fromBlock: BigInt(fromBlock) })
      return opened.find((order) => order.nonce === nonce)?.orderId
    },
    async listOwnOrders() {
      const [{ number }, { current }] = await Promise.all([chain.getBlock(), chain.getEpochs()])
      const fromBlock = BigInt(Math.max(0, number - LOOK_BACK_BLOCKS))
      const opened = await listOpenedOrders(client, { addresses, user: account, fromBlock })
      const running: bigint[] = []
      for (const { orderId } of opened) {
        const order = await chain.findOrder(orderId)
        if (order && order.end > current) running.push(orderId)
      }
      return running
    },
    async openOrder(terms, providerSignature, signal) {
      const { orderId } = await openOrder(client, { addresses, terms, providerSignature, signal })
      return orderId
    },
    async amendOrder(terms, providerSignature, signal) {
      await amendOrder(client, { addresses, terms, providerSignature, signal })
    },
    async allowReads(orderId, sizeBytes, maxPriceAttoPerByte, once, signal) {
      const call = { addresses, orderId, sizeBytes: BigInt(sizeBytes), maxPriceAttoPerByte, signal }
      await allowReads(withOnce(client, once), call)
    },
    forgetSent: async (once) => await client.sender?.forget(once),
  }
}
