import { type Address, MemoError } from '@memo/core'

/** The command line asks for something that this program does not do. */
export class UsageError extends MemoError {
  override readonly name: string = 'UsageError'
  constructor(message: string, fix?: string) {
    super(message, { blame: 'user', retry: 'never', fix })
  }
}

/** A verb needs something that an earlier one makes. */
export class NotSetUpError extends MemoError {
  override readonly name: string = 'NotSetUpError'
  constructor(message: string, fix: string) {
    super(message, { blame: 'user', retry: 'never', fix })
  }
}

/** The account has too little to go on; whoever runs it must send something first. */
export class FundsMissingError extends MemoError {
  override readonly name: string = 'FundsMissingError'
}

/** A process of a local network could not be started, or ended before it was ready. */
export class ProcessFailedError extends MemoError {
  override readonly name: string = 'ProcessFailedError'
}

/** A transaction that an earlier command sent, or another process with the same key, is not in a block yet. */
export class PaymentUnderWayError extends MemoError {
  override readonly name: string = 'PaymentUnderWayError'
  constructor(verb: string, { hash, nonce, firstNonce }: SentUnderNonce) {
    const isBehind = firstNonce !== undefined && firstNonce < nonce
    const before = isBehind ? `; nonce ${firstNonce} of the account has to come into a block before it` : ''
    super(`\`${verb}\` has been sent as ${hash} with nonce ${nonce} and its end cannot be seen yet${before}`, {
      blame: 'chain',
      retry: 'later',
      fix:
        'Run the same command again: it looks for that one first and pays once. Where nothing comes of it: ' +
        `memo wallet unstick --nonce ${isBehind ? firstNonce : nonce}`,
      details: { hash, nonce, ...(firstNonce === undefined ? {} : { firstNonce }) },
    })
  }
}

/** Where a transaction stands; `firstNonce` is the first of its account that no block has. */
export type SentUnderNonce = { readonly hash: string; readonly nonce: number; readonly firstNonce?: number }

/** Governance lets others grant, not this account. */
export class NotGranterError extends MemoError {
  override readonly name: string = 'NotGranterError'
  constructor(address: Address, holders: readonly Address[]) {
    const who = holders.length === 0 ? 'nobody holds that role' : `the role is held by ${holders.join(', ')}`
    super(`${address} may not grant space or traffic: ${who}`, {
      blame: 'user',
      retry: 'never',
      fix: 'Give the key of an account that holds it with --key FILE, or ask governance for the granter role.',
      details: { address, holders },
    })
  }
}
