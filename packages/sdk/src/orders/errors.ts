import { type Address, MemoError, RemoteError } from '@memo/core'
import { refusalReasonOf } from './money.ts'

/** The free escrow of this account does not pay for what was asked. */
export class EscrowTooSmallError extends MemoError {
  override readonly name: string = 'EscrowTooSmallError'
  constructor(
    account: Address,
    { neededAtto, freeAtto }: { readonly neededAtto: bigint; readonly freeAtto: bigint },
    cause?: unknown,
  ) {
    super(`the escrow of ${account} has ${memoOf(freeAtto)} MEMO free, and ${memoOf(neededAtto)} are needed`, {
      blame: 'user',
      retry: 'later',
      fix: `Deposit more: memo escrow deposit ${memoOf(neededAtto - freeAtto)}`,
      details: { account, neededAtto: `${neededAtto}`, freeAtto: `${freeAtto}` },
      cause,
    })
  }
}

/** A provider wants more for storing or reading than this account pays, or than it recorded on chain. */
export class PriceTooHighError extends MemoError {
  override readonly name: string = 'PriceTooHighError'
  constructor(provider: Address, what: string, askedAtto: bigint, limitAtto: bigint) {
    super(`provider ${provider} asks ${askedAtto} attomemo ${what}, and the limit is ${limitAtto}`, {
      blame: 'provider',
      retry: 'later',
      fix: 'Choose another provider, or raise the limit.',
      details: { provider, askedAtto: `${askedAtto}`, limitAtto: `${limitAtto}` },
    })
  }
}

/** An order or amendment that both signed did not come onto the chain in time; it never will. */
export class OrderLapsedError extends MemoError {
  override readonly name: string = 'OrderLapsedError'
  constructor(provider: Address, submitBy: bigint) {
    super(`what was signed with provider ${provider} was not on chain by ${submitBy}`, {
      blame: 'chain',
      retry: 'now',
      fix: 'Try again: another one will be signed.',
      details: { provider, submitBy: `${submitBy}` },
    })
  }
}

/** An order that is known to be on chain is not shown: what was asked is behind. */
export class OrderNotShownError extends MemoError {
  override readonly name: string = 'OrderNotShownError'
  constructor(provider: Address, orderId: bigint) {
    super(`the chain does not show order ${orderId} with provider ${provider} yet`, {
      blame: 'chain',
      retry: 'now',
      fix: 'Try again; where it stays so, ask another RPC endpoint.',
      details: { provider, orderId: `${orderId}` },
    })
  }
}

/** The provider's order did not grow as was asked, however often. */
export class NoRoomError extends MemoError {
  override readonly name: string = 'NoRoomError'
  constructor(provider: Address, bytes: number) {
    super(`no order with provider ${provider} has room for ${bytes} bytes`, {
      blame: 'provider',
      retry: 'later',
      fix: 'Choose another provider.',
      details: { provider, bytes },
    })
  }
}

/** Whether a provider does not take an order, a change of one, or an upload under one. */
export function isOrderRefused(thrown: unknown): thrown is MemoError {
  return thrown instanceof MemoError && thrown.name === 'OrderRefusedError'
}

/** Errors of this account, with which no provider could do anything else. */
const OWN_FAULTS: readonly string[] = ['EscrowTooSmallError', 'GasMoneyMissing', 'AccountMissing']

/** Whether an order did not come about for a reason that is not its provider's: asking another one would not help. */
export function isOwnFault(thrown: unknown): boolean {
  if (!(thrown instanceof MemoError) || thrown instanceof RemoteError) return false
  return thrown.blame === 'chain' || OWN_FAULTS.includes(thrown.name) || refusalReasonOf(thrown) === 'OrdersPaused'
}

const ATTO_DIGITS = 18
const SHOWN_DIGITS = 6

/** MEMO with six digits behind the point, rounded up, so that what it names is enough. */
function memoOf(atto: bigint): string {
  const unit = 10n ** BigInt(ATTO_DIGITS - SHOWN_DIGITS)
  const units = atto <= 0n ? 0n : (atto + unit - 1n) / unit
  const text = `${units}`.padStart(SHOWN_DIGITS + 1, '0')
  return `${text.slice(0, -SHOWN_DIGITS)}.${text.slice(-SHOWN_DIGITS)}`
}
