import {
  cashVoucher,
  findGrants,
  findReceiptStatus,
  type GrantInfo,
  getBlock,
  getGasPrice,
  getMemoAllowance,
  getMemoBalance,
  getQuota,
  getQuotaPrice,
  getSeller,
  getVoucherEnd,
  grantQuotaToDid,
  isGranter,
  type MemoChain,
  payContractOf,
  prepareQuotaApproval,
  prepareQuotaPurchase,
  type QuotaInfo,
  type QuotaKind,
} from '@memo/chain'
import type { Address, Clock } from '@memo/core'

/** What the chain says of quota, remembered for some seconds, and what the gateway does there. */
export type Market = {
  readonly chainId: number
  /** The gateway's own account. */
  readonly account: Address
  payAddressOf(kind: QuotaKind): Address
  /** `fresh`: asked now, for where an older answer may be the reason for a refusal. */
  quotaOf(kind: QuotaKind, buyer: Address, fresh?: 'fresh'): Promise<QuotaInfo>
  seller(): Promise<Address>
  /** Attomemo per byte. */
  priceOf(kind: QuotaKind): Promise<bigint>
  /** What an account lets the pay contract take, in attomemo. */
  allowanceOf(kind: QuotaKind, owner: Address): Promise<bigint>
  balanceOf(account: Address): Promise<bigint>
  isGranter(account: Address): Promise<boolean>
  /** The newest block: how deep a payment lies is counted in blocks. */
  blockNumber(): Promise<number>
  /**
   * The time of the block that so many others stand above, in seconds since 1970; undefined where the chain is not that long. What
   * ends by it ends however the machine's clock jumps.
   */
  timeAt(depth: number): Promise<bigint | undefined>
  /** What a unit of gas costs now, in wei. */
  gasPriceWei(): Promise<bigint>
  /** Unsigned transactions of `from`, as 0x RLP. */
  preparePurchase(kind: QuotaKind, from: Address, sizeByte: bigint): Promise<string>
  prepareApproval(kind: QuotaKind, from: Address, amountAtto: bigint): Promise<string>
  /** Cashes a voucher; resolves with the transaction's hash when a block has it. */
  cash(
    kind: QuotaKind,
    voucher: { readonly buyer: Address; readonly nonce: bigint; readonly sizeByte: bigint },
    signature: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<string>
  /** How a nonce that is over ended: only events tell, for an end may be followed by a purchase before anybody looks. */
  endOf(kind: QuotaKind, buyer: Address, nonce: bigint): Promise<'cashed' | 'ended'>
  /** Gives free bytes; only where the gateway's account holds the granter's role. */
  grant(kind: QuotaKind, did: string, sizeByte: bigint, reason: string): Promise<string>
  /** What a transaction granted; undefined while no block has it. */
  grantsOf(hash: `0x${string}`): Promise<readonly GrantInfo[] | undefined>
  receiptOf(hash: `0x${string}`): Promise<'success' | 'reverted' | undefined>
}

/** How long an answer is believed. */
const REMEMBER_MS = 3_000
/** An answer that is so young is not asked for again, whoever doubts it. */
const FRESH_MS = 50
const MAX_ANSWERS = 10_000

/** A market over contracts; `chain` has the gateway's account as its sender. */
export function createMarket(chain: MemoChain, account: Address, clock: Clock): Market {
  const { client, addresses } = chain
  const memory = createMemory(clock)
  const { remember } = memory
  return {
    chainId: chain.network.chainId,
    account,
    payAddressOf: (kind) => payContractOf(addresses, kind),
    quotaOf: async (kind, buyer, fresh) =>
      await remember(
        `${kind} ${buyer}`,
        fresh ? FRESH_MS : REMEMBER_MS,
        async () => await getQuota(client, { addresses, kind, buyer }),
      ),
    seller: async () => await remember('seller', REMEMBER_MS, async () => await getSeller(client, { addresses })),
    priceOf: async (kind) =>
      await remember(`${kind} price`, REMEMBER_MS, async () => await getQuotaPrice(client, { addresses, kind })),
    allowanceOf: async (kind, owner) =>
      await getMemoAllowance(client, { addresses, owner, spender: payContractOf(addresses, kind) }),
    balanceOf: async (address) => await getMemoBalance(client, { addresses, address }),
    isGranter: async (who) =>
      await remember(`granter ${who}`, REMEMBER_MS, async () => await isGranter(client, { addresses, account: who })),
    blockNumber: async () => (await getBlock(client)).number,
    timeAt: async (depth) => await remember(`time ${depth}`, REMEMBER_MS, async () => await timeAt(client, depth)),
    gasPriceWei: async () => await remember('gas price', REMEMBER_MS, async () => await getGasPrice(client)),
    preparePurchase: async (kind, from, sizeByte) =>
      await prepareQuotaPurchase(client, { addresses, kind, from, sizeByte }),
    prepareApproval: async (kind, from, amountAtto) =>
      await prepareQuotaApproval(client, { addresses, kind, from, amountAtto }),
    async cash(kind, voucher, signature, signal) {
      try {
        return (await cashVoucher(client, { addresses, kind, voucher, signature, signal })).hash
      } finally {
        memory.forget(`${kind} ${voucher.buyer}`)
      }
    },
    endOf: async (kind, buyer, nonce) => await getVoucherEnd(client, { addresses, kind, buyer, nonce }),
    grant: async (kind, did, sizeByte, reason) =>
      (await grantQuotaToDid(client, { addresses, kind, did, sizeByte, reason })).hash,
    grantsOf: async (hash) => await findGrants(client, { addresses, hash }),
    receiptOf: async (hash) => await findReceiptStatus(client, hash),
  }
}

async function timeAt(client: MemoChain['client'], depth: number): Promise<bigint | undefined> {
  const newest = await getBlock(client)
  if (depth === 0) return BigInt(newest.timestamp)
  return newest.number < depth ? undefined : BigInt((await getBlock(client, newest.number - depth)).timestamp)
}

/** Asks once for what several ask within `maxAgeMs`; a failure is not remembered. */
function createMemory(clock: Clock) {
  const answers = new Map<string, { readonly askedMs: number; readonly value: Promise<unknown> }>()
  const remember = async <T>(key: string, maxAgeMs: number, ask: () => Promise<T>): Promise<T> => {
    const known = answers.get(key)
    const ageMs = clock.nowMs() - (known?.askedMs ?? 0)
    // The clock may jump back: an answer from the future is of no known age.
    if (known && ageMs >= 0 && ageMs < maxAgeMs) return await (known.value as Promise<T>)
    const answer = { askedMs: clock.nowMs(), value: ask() }
    answers.delete(key)
    answers.set(key, answer)
    answer.value.catch(() => answers.get(key) === answer && answers.delete(key))
    const [oldest] = answers.keys()
    if (answers.size > MAX_ANSWERS && oldest !== undefined) answers.delete(oldest)
    return await answer.value
  }
  return { remember, forget: (key: string) => void answers.delete(key) }
}
