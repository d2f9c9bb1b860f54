import { type ProviderClient, UNIT_BYTES } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { isPaymentRequired, type ReadAccount, type ReadPiece } from '../orders/reads.ts'

/** Units are read whole, so a stretch of a piece may be longer at both ends; and unit nodes are read as well. */
const SLACK_BYTES = 4 * UNIT_BYTES

/** Reads from one provider on an account. */
export type PaidRead = {
  /**
   * Runs a read of `bytes` bytes with the newest voucher, and counts them once they were found to be right. A provider that wants
   * to be paid first is asked once more, with a newer voucher where there is one.
   */
  run<T>(bytes: number, read: (voucher: string | undefined) => Promise<T>): Promise<T>
}

/** Nothing is paid where nobody pays, and for what is held under no order. */
export function paidRead(
  account: ReadAccount | undefined,
  provider: ProviderClient,
  { orderId, ...piece }: ReadPiece & { readonly orderId: number },
  signal: AbortSignal,
): PaidRead {
  const payment = account?.find(provider.address, orderId)
  if (!payment) return { run: async (_, read) => await read(undefined) }
  return {
    async run(bytes, read) {
      const against = async (voucher: string | undefined) => {
        const done = await read(voucher)
        payment.received(bytes, piece, voucher)
        return done
      }
      const voucher = payment.voucher()
      try {
        return await against(voucher)
      } catch (thrown) {
        if (!isPaymentRequired(thrown)) throw thrown
        if (await payment.payMore(voucher, signal)) return await against(payment.voucher())
        // It counts bytes that never came whole. What it serves unpaid is paid for as well, and brings both together again.
        if (voucher !== undefined) return await against(undefined)
        throw thrown
      }
    },
  }
}

/** What one call may pay for at the most: what it is going to read, as if everything had to be read from parity as well. */
export function accountFor(
  { orders }: Pick<StorageContext, 'orders'>,
  storedBytes: number,
  { dataShards, parityShards }: { readonly dataShards: number; readonly parityShards: number },
): ReadAccount | undefined {
  const pieces = dataShards + parityShards
  return orders?.reads(Math.ceil((storedBytes * pieces) / dataShards) + pieces * SLACK_BYTES)
}
