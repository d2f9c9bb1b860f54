import type { GasOptions } from '@memo/chain'
import { UsageError } from './errors.ts'

/** What a unit of gas may cost where nobody says: far above what chains ask, and far below what an attacker would like. */
const DEFAULT_MAX_GAS_PRICE = '1000'
const GWEI = /^(\d{1,9})(?:\.(\d{1,9}))?(?: ?gwei)?$/i
const GWEI_DECIMALS = 9

/** A price of gas such as `80` or `1.5 gwei`, in wei. Errors: {@link UsageError}. */
export function parseGasPrice(text: string): bigint {
  const [, whole, decimals = ''] = GWEI.exec(text.trim()) ?? []
  const wei = whole === undefined ? 0n : BigInt(whole) * 10n ** 9n + BigInt(decimals.padEnd(GWEI_DECIMALS, '0'))
  if (wei > 0n) return wei
  throw new UsageError(`--max-gas-price ${text} is not a price of gas`, 'Write it in gwei, as 80 or 1.5.')
}

/** What transactions may pay for gas: the flag, then MEMO_MAX_GAS_PRICE, then what the data directory keeps (`spec/cli.md` 12). */
export function gasOf(given: string | undefined, kept: string | undefined): GasOptions {
  const fromEnvironment = process.env.MEMO_MAX_GAS_PRICE
  const text = given ?? (fromEnvironment === '' ? undefined : fromEnvironment) ?? kept ?? DEFAULT_MAX_GAS_PRICE
  return { maxFeePerGasWei: parseGasPrice(text) }
}
