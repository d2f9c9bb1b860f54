import { type CommitmentHead, hexFromBytes, MemoError, type PaymentDue, paymentDueToJson } from '@memo/core'

/** Why an order does not carry what was asked for; stable, for programs. */
export type OrderRefusal =
  | 'unknown-order'
  | 'other-provider'
  | 'other-user'
  | 'over'
  | 'too-small'
  | 'price'
  | 'length'
  | 'submit-by'
  | 'stale'
  | 'no-room'
  | 'unpaid'

/** An order, a change of one, or an upload under one that the provider does not take on. */
export class OrderRefusedError extends MemoError {
  override readonly name: string = 'OrderRefusedError'
  constructor(
    reason: OrderRefusal,
    message: string,
    { fix, ...details }: Readonly<Record<string, unknown>> & { readonly fix: string },
  ) {
    super(message, { blame: 'user', retry: 'never', fix, details: { reason, ...details } })
  }
}

/** A set commitment that does not follow from the last one, or not from what the provider holds. */
export class CommitmentMismatchError extends MemoError {
  override readonly name: string = 'CommitmentMismatchError'
  constructor(message: string, { seq, setRoot }: CommitmentHead, details: Readonly<Record<string, unknown>> = {}) {
    super(message, {
      blame: 'user',
      retry: 'now',
      fix: 'List the pieces of the order, and commit to what is held from the commitment that stands.',
      details: { seq: `${seq}`, setRoot: hexFromBytes(setRoot), ...details },
    })
  }
}

/** Why a read is not served; stable, for programs. */
export type PaymentProblem = 'window' | 'allowance' | 'closed' | 'voucher' | 'contract' | 'other-order' | 'unpaid'

/** More was read than is paid for. */
export class PaymentRequiredError extends MemoError {
  override readonly name: string = 'PaymentRequiredError'
  constructor(
    reason: PaymentProblem,
    message: string,
    options: {
      readonly fix: string
      readonly due?: PaymentDue | undefined
      readonly details?: Readonly<Record<string, unknown>>
    },
  ) {
    const details = { reason, ...(options.due ? paymentDueToJson(options.due) : {}), ...options.details }
    super(message, { blame: 'user', retry: 'now', fix: options.fix, details })
  }
}
