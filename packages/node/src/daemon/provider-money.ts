import {
  getBlock,
  getEscrow,
  getGasPrice,
  hasCode,
  isIncomeMarkStanding,
  type MemoChain,
  pinEpoch,
  readProviderIncome,
  redeemReads,
  settleOrder,
} from '@memo/chain'
import type { Address } from '@memo/core'
import type { ProviderMoney } from '../provider/money-port.ts'

/** What a provider does with money, on a real chain; `chain` has its account. */
export function createProviderMoney(chain: MemoChain, self: Address): ProviderMoney {
  const { client, addresses } = chain
  return {
    getEpochs: () => chain.getEpochs(),
    stands: (mark) => isIncomeMarkStanding(client, mark),
    readEvents: (after) => readProviderIncome(client, { addresses, provider: self, after }),
    async settleOrder(orderId, signal) {
      await settleOrder(client, { addresses, orderId, signal })
    },
    async pinEpoch(signal) {
      await pinEpoch(client, { addresses, signal })
    },
    getBlockNumber: async () => (await getBlock(client)).number,
    getGasPriceWei: () => getGasPrice(client),
    isContract: (account) => hasCode(client, { address: account }),
    async redeemReads({ voucher, signature }, signal) {
      await redeemReads(client, { addresses, voucher, signature, signal })
    },
    getFreeEscrowAtto: async () => (await getEscrow(client, { addresses, account: self })).freeAtto,
  }
}
