import { type ProviderClient, UNIT_BYTES } from '@memo/core'
import type { StorageContext } from '../context.ts'
import { isPaymentRequired, type ReadAccount } from '../orders/reads.ts'

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
  orderId: number,
  signal: AbortSignal,
): PaidRead {
  const payment = account?.find(provider.address, orderId)
  if (!payment) return { run: async (_, read) => await read(undefined) }
  return {
    async run(bytes, read) {
      const once = async () => {
        const done = await read(payment.voucher())
        payment.received(bytes)
        return done
      }
      try {
        return await once()
      } catch (thrown) {
        if (!isPaymentRequired(thrown) || !(await payment.payMore(signal))) throw thrown
        return await once()
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
