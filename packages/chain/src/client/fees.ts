import type { PublicClient } from 'viem'
import { delay } from './delay.ts'
import { GasTooExpensive } from './errors.ts'

/** What a transaction offers for each unit of gas, in wei. */
export type Fees = { readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint }

/** What gas may cost, and how long a better price is waited for. */
export type GasOptions = {
  /** No transaction offers more for a unit of gas. Default: whatever the chain asks. */
  readonly maxFeePerGasWei?: bigint | undefined
  /** How long a price above it is waited out before {@link GasTooExpensive}. Default 0. */
  readonly waitMs?: number | undefined
  /** A transaction that lies this long while blocks go by is offered more for. Default 30 s. */
  readonly replaceAfterMs?: number | undefined
}

/** Pools take another transaction of the same nonce for at least a tenth more of both fees; some want an eighth. */
const BUMP_PERCENT = 115n
/** By how much viem's estimate of the largest fee is above the base fee. */
const BASE_FEE_PERCENT = 120n

/**
 * What to offer now for `gas` units. Where even the price of this moment is above the limit, waits as long as allowed.
 * Errors: {@link GasTooExpensive}.
 */
export async function priceGas(
  rpc: PublicClient,
  {
    gas,
    options: { maxFeePerGasWei: limit, waitMs = 0 },
    pollingIntervalMs,
    signal,
  }: {
    readonly gas: bigint
    readonly options: GasOptions
    readonly pollingIntervalMs: number
    readonly signal?: AbortSignal | undefined
  },
): Promise<Fees> {
  const untilMs = performance.now() + waitMs
  for (;;) {
    const { maxFeePerGas, maxPriorityFeePerGas } = await rpc.estimateFeesPerGas()
    if (limit === undefined || maxFeePerGas <= limit) return { maxFeePerGas, maxPriorityFeePerGas }
    const least = ((maxFeePerGas - maxPriorityFeePerGas) * 100n) / BASE_FEE_PERCENT + maxPriorityFeePerGas
    if (least <= limit) return { maxFeePerGas: limit, maxPriorityFeePerGas }
    if (performance.now() >= untilMs) throw new GasTooExpensive({ gas, feeWei: least, limitWei: limit })
    await delay(pollingIntervalMs, signal)
  }
}

/** What replaces `fees`: enough above them, and what is asked now where that is more; undefined above the limit. */
export async function outbid(rpc: PublicClient, fees: Fees, limit: bigint | undefined): Promise<Fees | undefined> {
  const asked = await rpc.estimateFeesPerGas()
  const raise = (value: bigint, now: bigint): bigint => {
    const least = (value * BUMP_PERCENT) / 100n + 1n
    return now > least ? now : least
  }
  const maxPriorityFeePerGas = raise(fees.maxPriorityFeePerGas, asked.maxPriorityFeePerGas)
  const wanted = raise(fees.maxFeePerGas, asked.maxFeePerGas)
  const least = (fees.maxFeePerGas * BUMP_PERCENT) / 100n + 1n
  if (limit === undefined || wanted <= limit) return { maxFeePerGas: wanted, maxPriorityFeePerGas }
  return least <= limit && maxPriorityFeePerGas <= limit ? { maxFeePerGas: limit, maxPriorityFeePerGas } : undefined
}
