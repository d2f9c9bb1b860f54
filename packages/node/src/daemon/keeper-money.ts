import { getGasPrice, getGroup, getKeeperPool, type MemoChain, shareKeeperFees } from '@memo/chain'
import type { Address } from '@memo/core'
import type { KeeperMoney } from '../keeper/fees.ts'

/** What a keeper does with money, on a real chain; `chain` has its account. */
export function createKeeperMoney(chain: MemoChain, self: Address): KeeperMoney {
  const { client, addresses } = chain
  return {
    async getPool() {
      const group = (await chain.findAccount(self))?.group ?? 0
      if (group === 0) return undefined
      const [atto, { keepers }] = await Promise.all([
        getKeeperPool(client, { addresses, group }),
        getGroup(client, { addresses, id: group }),
      ])
      return { group, atto, keepers }
    },
    getGasPriceWei: () => getGasPrice(client),
    async share(group, signal) {
      await shareKeeperFees(client, { addresses, group, signal })
    },
  }
}
