import { MemoError } from '@memo/core'

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
