import { type Blame, MemoError, type Retry } from '../errors/index.ts'

/** A fault that a test or a simulation ordered. */
export class InjectedFaultError extends MemoError {
  override readonly name: string = 'InjectedFaultError'
  constructor(message: string, options: { readonly blame?: Blame; readonly retry?: Retry } = {}) {
    super(message, { blame: options.blame ?? 'us', retry: options.retry ?? 'later' })
  }
}
