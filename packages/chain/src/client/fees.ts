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
  /** Told with each transaction whether its gas is above the limit, and how far. */
  readonly watch?: ((tooExpensive: GasTooExpensive | undefined) => void) | undefined
}

/** A watch for {@link GasOptions} that makes events: one when gas gets too expensive, one when it is not any more. */
export function createGasWatch(
  log: (event: {
    readonly type: 'gas-too-expensive' | 'gas-affordable'
    readonly level: 'warn' | 'info'
    readonly message: string
    readonly fix?: string
    readonly details?: unknown
  }) => void,
): NonNullable<GasOptions['watch']> {
  let isWaiting = false
  return (error) => {
    if (isWaiting === (error !== undefined)) return
    isWaiting = error !== undefined
    if (error === undefined) {
      return log({
        type: 'gas-affordable',
        level: 'info',
        message: 'gas is below the limit again: what waited is sent',
      })
    }
    const message = `${error.message}; what can wait is tried again until it is cheaper`
    const { fix, details } = error
    log({ type: 'gas-too-expensive', level: 'warn', message, ...(fix === undefined ? {} : { fix }), details })
  }
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
    options: { maxFeePerGasWei: limit, waitMs = 0, watch },
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
    const isCheap = limit === undefined || maxFeePerGas <= limit
    if (isCheap) watch?.(undefined)
    if (isCheap) return { maxFeePerGas, maxPriorityFeePerGas }
    const least = ((maxFeePerGas - maxPriorityFeePerGas) * 100n) / BASE_FEE_PERCENT + maxPriorityFeePerGas
    if (least <= limit) watch?.(undefined)
    if (least <= limit) return { maxFeePerGas: limit, maxPriorityFeePerGas }
    const error = new GasTooExpensive({ gas, feeWei: least, limitWei: limit })
    watch?.(error)
    if (performance.now() >= untilMs) throw error
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
