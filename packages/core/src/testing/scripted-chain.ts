import type { MoneyContracts } from '../billing/index.ts'
import type { Address } from '../bytes/index.ts'
import type { Network, Signer } from '../keys/index.ts'
import type { Account, Chain, Clock, DidRecord, EpochInfo, OrderInfo, ReadAllowanceInfo } from '../ports.ts'

/** A chain that says what it was told to say. */
export type ScriptedChain = Chain & {
  /** Adds an account, or replaces the one with its address. Indexes are given in order of first appearance. */
  setAccount(account: Partial<Account> & Pick<Account, 'address' | 'role'>): Account
  setDid(record: DidRecord): void
  /** Opens an order, or replaces the one with this number. */
  /** Nothing: the chain has forgotten it. */
  setOrder(orderId: bigint, order: OrderInfo | undefined): void
  setReadAllowance(orderId: bigint, payer: Address, allowance: ReadAllowanceInfo): void
  /** Epochs from now on: they no longer follow from the blocks. */
  setEpochs(epochs: Partial<EpochInfo>): void
  /** All reads fail so until it is set back to undefined. */
  setFault(fault: Error | undefined): void
}

export type ScriptedChainOptions = {
  readonly network?: Network
  /** Blocks come every `blockMs` of this clock. */
  readonly clock?: Clock
  readonly blockMs?: number
}

/** A network of tests: chain id and registry of nothing real. */
export const TEST_NETWORK: Network = { chainId: 31_337, registry: `0x${'42'.repeat(20)}` }
/** Contracts of tests that money is signed for. */
export const TEST_MONEY: MoneyContracts = {
  chainId: TEST_NETWORK.chainId,
  orders: `0x${'43'.repeat(20)}`,
  reads: `0x${'44'.repeat(20)}`,
}
const EPOCH_BLOCKS = 10n
const EPOCH_SECONDS = 60n
const NO_ALLOWANCE: ReadAllowanceInfo = {
  priceAttoPerByte: 0n,
  bytesAllowed: 0n,
  bytesPaid: 0n,
  seq: 0n,
  closingAt: 0n,
  closingBlock: 0n,
}
const DEFAULT_BLOCK_MS = 1_000
const DEFAULT_CAPACITY_BYTES = 2 ** 40

export function createScriptedChain(options: ScriptedChainOptions = {}): ScriptedChain {
  const { network = TEST_NETWORK, clock, blockMs = DEFAULT_BLOCK_MS } = options
  const accounts = new Map<Address, Account>()
  const dids = new Map<string, DidRecord>()
  const orders = new Map<bigint, OrderInfo>()
  const allowances = new Map<string, ReadAllowanceInfo>()
  let saidEpochs: Partial<EpochInfo> = {}
  const startMs = clock?.nowMs() ?? 0
  let fault: Error | undefined
  const read = async <T>(value: () => T): Promise<T> => {
    if (fault) throw fault
    return value()
  }
  const listActive = (role: Account['role']) =>
    [...accounts.values()].filter((account) => account.role === role && account.state === 'active')

  const blockOfNow = () => {
    const nowMs = clock?.nowMs() ?? startMs
    return { number: 1 + Math.floor((nowMs - startMs) / blockMs), timestamp: Math.floor(nowMs / 1_000) }
  }

  return {
    network,
    findAccount: (address) => read(() => accounts.get(address)),
    listProviders: () => read(() => listActive('provider')),
    listKeepers: () => read(() => listActive('keeper')),
    findDid: (did) => read(() => dids.get(did)),
    getBlock: () => read(blockOfNow),
    money: TEST_MONEY,
    findOrder: (orderId) => read(() => orders.get(orderId)),
    getEpochs: () =>
      read(() => {
        const current = BigInt(blockOfNow().number) / EPOCH_BLOCKS
        const closedBefore = current > 0n ? current - 1n : 0n
        return { current, closedBefore, epochBlocks: EPOCH_BLOCKS, epochSeconds: EPOCH_SECONDS, ...saidEpochs }
      }),
    getLiableBytes: (provider) =>
      read(() =>
        [...orders.values()].reduce((sum, order) => sum + (order.provider === provider ? order.liableBytes : 0n), 0n),
      ),
    getReadAllowance: (orderId, payer) => read(() => allowances.get(`${orderId}/${payer}`) ?? NO_ALLOWANCE),
    setAccount(account) {
      const before = accounts.get(account.address)
      const whole: Account = { ...newAccount(account.address, before?.index ?? accounts.size), ...before, ...account }
      accounts.set(account.address, whole)
      return whole
    },
    setDid: (record) => void dids.set(record.did, record),
    setOrder: (orderId, order) => void (order ? orders.set(orderId, order) : orders.delete(orderId)),
    setReadAllowance: (orderId, payer, allowance) => void allowances.set(`${orderId}/${payer}`, allowance),
    setEpochs(epochs) {
      saidEpochs = { ...saidEpochs, ...epochs }
    },
    setFault(next) {
      fault = next
    },
  }
}

/** The record of a DID whose only key is its master key. */
export function didRecordOf(did: string, master: Pick<Signer, 'address' | 'publicKey'>): DidRecord {
  const { address, publicKey } = master
  const type = 'EcdsaSecp256k1VerificationKey2019'
  return {
    did,
    deactivated: false,
    masterAddress: address,
    authenticationKeys: [{ id: 'masterKey', type, publicKey, address }],
  }
}

function newAccount(address: Address, index: number): Account {
  return {
    address,
    index,
    role: 'none',
    state: 'active',
    group: 1,
    endpoint: '',
    operator: '',
    region: '',
    capacityBytes: DEFAULT_CAPACITY_BYTES,
    storagePriceAttoPerGiBSecond: 0n,
    retrievalPriceAttoPerByte: 0n,
  }
}
