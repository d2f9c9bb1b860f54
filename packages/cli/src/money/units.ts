import { ATTOMEMO_PER_MEMO } from '@memo/chain'
import { UsageError } from '../errors.ts'

const AMOUNT = /^(\d{1,12})(?:\.(\d{1,18}))? ?(?:MEMO)?$/i
const ATTO = /^(\d{1,30}) ?atto(?:memo)?$/i
const DURATION = /^(\d{1,6}(?:\.\d{1,3})?) ?(h|d|w|mo|y)$/i
const HOUR_SECONDS = 3_600
const DAY_SECONDS = 86_400
const UNIT_SECONDS: Readonly<Record<string, number>> = {
  h: HOUR_SECONDS,
  d: DAY_SECONDS,
  w: 7 * DAY_SECONDS,
  mo: 30 * DAY_SECONDS,
  y: 365 * DAY_SECONDS,
}
/** From so much on, four decimals tell enough. */
const WHOLE_ATTO: bigint = ATTOMEMO_PER_MEMO
/** Below this an amount in MEMO is all zeros. */
const TINY_ATTO = 1_000_000_000n
const GIB = 1_073_741_824n
/** Digits that people compare. */
const SIGNIFICANT_DIGITS = 6
const DECIMALS = 18

/** An amount of MEMO, such as `12.5` or `250atto`, in attomemo. Errors: {@link UsageError}. */
export function parseMemo(text: string): bigint {
  const trimmed = text.trim()
  const atto = ATTO.exec(trimmed)?.[1]
  if (atto !== undefined) return BigInt(atto)
  const [, whole, decimals = ''] = AMOUNT.exec(trimmed) ?? []
  if (whole !== undefined) return BigInt(whole) * ATTOMEMO_PER_MEMO + BigInt(decimals.padEnd(DECIMALS, '0'))
  throw new UsageError(`${quoted(text)} is not an amount of MEMO`, 'Write it as 12.5, with at most 18 decimals.')
}

/** A length of time, such as `1y`, `6mo`, `30d` or `12h`, in seconds. Errors: {@link UsageError}. */
export function parseDuration(text: string): number {
  const [, value, unit = ''] = DURATION.exec(text.trim()) ?? []
  const seconds = Math.round(Number(value) * (UNIT_SECONDS[unit.toLowerCase()] ?? 0))
  if (value !== undefined && seconds > 0) return seconds
  throw new UsageError(`${quoted(text)} is not a length of time`, 'Write it as 1y, 6mo, 30d or 12h.')
}

/** An amount for people, to six digits or so: `12,345.6789 MEMO`, `0.000268435 MEMO`, `250 attomemo`. */
export function formatMemo(atto: bigint): string {
  if (atto < 0n) return `-${formatMemo(-atto)}`
  if (atto === 0n) return '0 MEMO'
  if (atto < TINY_ATTO) return `${group(atto)} attomemo`
  const decimals = atto >= WHOLE_ATTO ? 4 : leadingZeros(atto) + SIGNIFICANT_DIGITS
  return `${decimal(round(atto, decimals))} MEMO`
}

/** An amount for people, to the last attomemo: what somebody agrees to pay. */
export function exactMemo(atto: bigint): string {
  return atto > 0n && atto < TINY_ATTO ? `${group(atto)} attomemo` : `${decimal(atto)} MEMO`
}

/** An amount of the chain’s own coin for people: it has as many decimals as MEMO. */
export function formatCoin(wei: bigint): string {
  return formatMemo(wei).replace('attomemo', 'wei').replace('MEMO', 'coins')
}

/** What a price by the byte, or by the GiB and second, comes to for people: by the GiB. */
export function formatPerGiB(attoPerByte: bigint): string {
  return `${formatMemo(attoPerByte * GIB)}/GiB`
}

/** A price of storing for people: by the GiB and month of 30 days. */
export function formatPerGiBMonth(attoPerGiBSecond: bigint): string {
  return `${formatMemo(attoPerGiBSecond * 30n * BigInt(DAY_SECONDS))}/GiB/month`
}

/** A day and how far it is from `nowSeconds`: `2029-11-19 (in 1,095 days)`. */
export function formatDay(seconds: number, nowSeconds: number): string {
  const day = new Date(seconds * 1_000).toISOString().slice(0, 10)
  return `${day} (${formatDistance(seconds - nowSeconds)})`
}

/** `in 3 days`, `2 hours ago`. */
export function formatDistance(seconds: number): string {
  const far = formatDuration(Math.abs(seconds))
  return seconds < 0 ? `${far} ago` : `in ${far}`
}

/** A length of time for people, in the unit that fits: `1,095 days`, `5 hours`, `40 seconds`. */
export function formatDuration(seconds: number): string {
  const [value, unit] =
    seconds >= 2 * DAY_SECONDS
      ? [seconds / DAY_SECONDS, 'day']
      : seconds >= 2 * HOUR_SECONDS
        ? [seconds / HOUR_SECONDS, 'hour']
        : seconds >= 120
          ? [seconds / 60, 'minute']
          : [seconds, 'second']
  const count = Math.round(value)
  return `${count.toLocaleString('en')} ${unit}${count === 1 ? '' : 's'}`
}

/** Decimals before the first digit that is not 0. */
function leadingZeros(atto: bigint): number {
  return DECIMALS - atto.toString().length
}

/** To so many decimals of a MEMO, the nearest. */
function round(atto: bigint, decimals: number): bigint {
  const unit = 10n ** BigInt(DECIMALS - Math.min(DECIMALS, decimals))
  return ((atto + unit / 2n) / unit) * unit
}

function decimal(atto: bigint): string {
  const rest = (atto % ATTOMEMO_PER_MEMO).toString().padStart(DECIMALS, '0').replace(/0+$/, '')
  return `${group(atto / ATTOMEMO_PER_MEMO)}${rest === '' ? '' : `.${rest}`}`
}

function group(value: bigint): string {
  return value.toLocaleString('en')
}

/** What somebody typed, short enough for a message. */
function quoted(text: string): string {
  return `“${text.length > 40 ? `${text.slice(0, 40)}…` : text}”`
}
