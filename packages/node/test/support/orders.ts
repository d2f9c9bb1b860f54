import {
  type Address,
  type CommitRequest,
  createSetTree,
  encodeVoucher,
  type OrderInfo,
  ordersVerifierOf,
  type ReadAllowanceInfo,
  type SetChange,
  type SetTree,
  type Signer,
  setCommitmentDigest,
  setCommitmentOf,
  signVoucher,
} from '@memo/core'
import { TEST_MONEY } from '@memo/core/testing'
import type { World } from './world.ts'

export const PRICE: bigint = 10n ** 9n

/** An order on the scripted chain, from epoch 1 to `end`. */
export function scriptOrder(
  world: World,
  orderId: bigint,
  options: {
    readonly user: Address
    readonly provider: Address
    readonly sizeBytes?: bigint
    readonly start?: bigint
    readonly end?: bigint
    readonly seq?: bigint
    readonly settledTo?: bigint
    readonly incomePerEpochAtto?: bigint
  },
): OrderInfo {
  const { user, provider, sizeBytes = 1_000_000n, start = 1n, end = 10_000n, incomePerEpochAtto = 100n } = options
  const segment = { from: start, sizeBytes, priceAttoPerGiBSecond: PRICE, incomePerEpochAtto, costPerEpochAtto: 105n }
  const order = {
    user,
    provider,
    group: 1,
    start,
    end,
    seq: options.seq ?? 1n,
    lockedAtto: 0n,
    settledTo: options.settledTo ?? start,
    liableBytes: sizeBytes,
    segments: [segment],
  }
  world.chain.setOrder(orderId, order)
  return order
}

/** Money for reading on the scripted chain. */
export function scriptAllowance(
  world: World,
  orderId: bigint,
  payer: Address,
  changes: Partial<ReadAllowanceInfo> = {},
): void {
  const none = {
    priceAttoPerByte: 3n,
    bytesAllowed: 10n ** 9n,
    bytesPaid: 0n,
    seq: 0n,
    closingAt: 0n,
    closingBlock: 0n,
  }
  world.chain.setReadAllowance(orderId, payer, { ...none, ...changes })
}

/** The text of a voucher of `signer`. */
export async function voucherOf(
  signer: Signer,
  orderId: bigint,
  bytesRead: number,
  changes: { readonly payer?: Address; readonly seq?: bigint; readonly money?: typeof TEST_MONEY } = {},
): Promise<string> {
  const { payer = signer.address, seq = 0n, money = TEST_MONEY } = changes
  return encodeVoucher(await signVoucher(money, { orderId, payer, seq, bytesRead: BigInt(bytesRead) }, signer))
}

/** What a user remembers of the set under one order. */
export type Book = {
  readonly tree: SetTree
  /** The next commitment, signed; nothing is remembered of it. */
  draft(
    change: Partial<SetChange>,
    options?: { readonly seq?: bigint; readonly fromEpoch?: bigint },
  ): Promise<CommitRequest>
  /** Signs what a tree says that need not be the next one. */
  forge(change: SetChange, next: SetTree): Promise<CommitRequest>
  accept(change: SetChange): void
}

/** A user's side of the set under one order. */
export function createBook(world: World, signer: Signer, orderId: bigint): Book {
  let tree: SetTree = createSetTree()
  let seq = 0n
  const sign = async (change: SetChange, next: SetTree, number: bigint, fromEpoch: bigint) => {
    const commitment = setCommitmentOf(next, { orderId, seq: number, fromEpoch })
    const signature = await signer.signDigest(setCommitmentDigest(ordersVerifierOf(TEST_MONEY), commitment))
    return { commitment, signature, ...change }
  }
  return {
    get tree() {
      return tree
    },
    async draft(change, options = {}) {
      const whole = { added: [], removed: [], ...change }
      const { current } = await world.chain.getEpochs()
      return await sign(whole, tree.apply(whole), options.seq ?? seq + 1n, options.fromEpoch ?? current + 1n)
    },
    async forge(change, next) {
      const { current } = await world.chain.getEpochs()
      return await sign(change, next, seq + 1n, current + 1n)
    },
    accept(change) {
      tree = tree.apply(change)
      seq += 1n
    },
  }
}
