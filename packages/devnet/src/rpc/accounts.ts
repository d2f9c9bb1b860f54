import { hexFromBytes, quantity } from '../hex.ts'
import { getState, pendingNonce, type RpcMethod } from './context.ts'
import { invalidParams } from './errors.ts'
import { parseAddress, parseSlot } from './params.ts'

/** Slots in one proof request. */
const MAX_PROOF_SLOTS = 1024

/** Methods that read one account. */
export const accountMethods: Readonly<Record<string, RpcMethod>> = {
  eth_accounts: () => [],

  eth_getBalance: async ({ chain }, [address, block]) => {
    const account = await chain.state.account(getState(chain, block).root, parseAddress(address, 'address'))
    return quantity(account.balance)
  },

  eth_getTransactionCount: async ({ chain }, [address, block]) => {
    const parsed = parseAddress(address, 'address')
    if (block === 'pending') return quantity(await pendingNonce(chain, parsed))
    return quantity((await chain.state.account(getState(chain, block).root, parsed)).nonce)
  },

  eth_getCode: async ({ chain }, [address, block]) =>
    hexFromBytes(await chain.state.code(getState(chain, block).root, parseAddress(address, 'address'))),

  eth_getStorageAt: async ({ chain }, [address, slot, block]) => {
    const { root } = getState(chain, block)
    const value = await chain.state.storage(root, parseAddress(address, 'address'), parseSlot(slot, 'position'))
    return `0x${hexFromBytes(value).slice(2).padStart(64, '0')}`
  },

  eth_getProof: ({ chain }, [address, slots, block]) => {
    if (!Array.isArray(slots) || slots.length > MAX_PROOF_SLOTS) {
      throw invalidParams(`invalid argument storageKeys: at most ${MAX_PROOF_SLOTS} slots expected`)
    }
    const parsed = slots.map((slot) => parseSlot(slot, 'storageKeys'))
    return chain.state.proof(getState(chain, block).root, parseAddress(address, 'address'), parsed)
  },
}
