import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import {
  ATTOMEMO_PER_MEMO,
  createChainClient,
  createMemoChain,
  depositEscrow,
  getMemoBalance,
  type MemoChain,
  type RpcProvider,
} from '@memo/chain'
import type { IndexStore } from '@memo/core'
import { type DataDirectory, DataDirectoryInUseError, lockDataDirectory, openSqliteIndexStore } from '@memo/platform'
import { createOrders, type OrderEvent, type OrderMoney, type Orders, type OrdersOptions } from '@memo/sdk'
import { createOrderMoney } from '@memo/sdk/chain'
import { isLocalNetwork } from '../local-chain.ts'

/** Whether a verb needs somebody who pays, would rather have one, or needs none. */
export type Paying = 'must' | 'may' | 'no'

export type UserOrdersOptions = {
  readonly dataDir: string
  readonly chain: MemoChain
  readonly ports: OrdersOptions['ports']
  readonly onEvent: (event: OrderEvent) => void
  readonly signal: AbortSignal
}

/** The orders of a data directory, until they are closed. */
export type UserOrders = {
  readonly orders: Orders
  /** What else must be there after a crash may be kept in it as well; one process has it at a time. */
  readonly store: IndexStore
  close(): Promise<void>
}

const ROOM = 'orders'
const STORE_FILE = 'orders.sqlite'
/** One process at a time spends the money of a data directory; another one waits so long for its turn. */
const TURN_MS = 60_000
const LOOK_MS = 100
/** What a user of a local network has in escrow once he needs some: his own, and worth nothing. */
const LOCAL_ESCROW_ATTO: bigint = 1_000n * ATTOMEMO_PER_MEMO

/**
 * Opens the orders of a data directory. Another process of the same directory is waited for where a verb must pay; where it
 * need not, it goes unpaid then. Errors: DataDirectoryInUseError; those of the store.
 */
export async function openUserOrders(paying: Paying, options: UserOrdersOptions): Promise<UserOrders | undefined> {
  if (paying === 'no') return undefined
  const { dataDir, chain, ports, onEvent, signal } = options
  const dir = join(dataDir, ROOM)
  const lock = await takeTurn(dir, paying === 'must' ? TURN_MS : 0, signal)
  if (!lock) return undefined
  let store: IndexStore | undefined
  try {
    store = openSqliteIndexStore(join(dir, STORE_FILE))
    const orders = createOrders({ ports, chain, money: createUserMoney(withJournal(chain, store)), store, onEvent })
    orders.start()
    return { orders, store, close: async () => await closeAll(orders, store, lock) }
  } catch (thrown) {
    await closeAll(undefined, store, lock)
    throw thrown
  }
}

async function closeAll(orders: Orders | undefined, store: IndexStore | undefined, lock: DataDirectory): Promise<void> {
  try {
    await orders?.close()
    await store?.close()
  } finally {
    lock.release()
  }
}

/** Undefined when another process has it and nobody waits. Errors: DataDirectoryInUseError after the wait. */
async function takeTurn(dir: string, waitMs: number, signal: AbortSignal): Promise<DataDirectory | undefined> {
  const endMs = performance.now() + waitMs
  for (;;) {
    signal.throwIfAborted()
    try {
      return await lockDataDirectory(dir, ROOM)
    } catch (thrown) {
      if (!(thrown instanceof DataDirectoryInUseError)) throw thrown
      if (waitMs === 0) return undefined
      if (performance.now() > endMs) throw thrown
    }
    await wait(LOOK_MS)
  }
}

/** The same chain, whose sender keeps in the store what it signs for a purpose: what a killed process sent is not sent again. */
function withJournal({ client, addresses, network }: MemoChain, journal: IndexStore): MemoChain {
  const { rpc, rpcUrl, account, gas } = client
  const provider: RpcProvider = {
    request: async ({ method, params }) => await rpc.request({ method, params } as never),
  }
  return createMemoChain({
    client: createChainClient({ rpcUrl, provider, account, journal, gas, pollingIntervalMs: rpc.pollingInterval }),
    addresses,
    chainId: network.chainId,
  })
}

/** On networks of this machine, where money is worth nothing, an escrow that is empty fills itself. */
function createUserMoney(chain: MemoChain): OrderMoney {
  const money = createOrderMoney(chain)
  let filling: Promise<void> | undefined
  const fill = async () => {
    const { client, addresses } = chain
    if (!(await isLocalNetwork(client.rpcUrl))) return
    const memoAtto = await getMemoBalance(client, { addresses, address: money.account })
    const amountAtto = memoAtto < LOCAL_ESCROW_ATTO ? memoAtto : LOCAL_ESCROW_ATTO
    if (amountAtto > 0n) await depositEscrow(client, { addresses, amountAtto })
  }
  return {
    ...money,
    async getFreeEscrow() {
      const freeAtto = await money.getFreeEscrow()
      if (freeAtto > 0n) return freeAtto
      filling ??= fill()
      await filling
      return await money.getFreeEscrow()
    },
  }
}
