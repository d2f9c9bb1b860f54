import { MemoError, type MemoErrorOptions } from '@memo/core'

/** The requester is known, and may not do this. */
export class ForbiddenError extends MemoError {
  override readonly name: string = 'ForbiddenError'
  constructor(message: string, options: Partial<MemoErrorOptions> = {}) {
    super(message, { blame: 'user', retry: 'never', ...options })
  }
}

/** More is asked of this node at once than it takes on. */
export class BusyError extends MemoError {
  override readonly name: string = 'BusyError'
  constructor(role: NodeRole, what: string, details: Readonly<Record<string, unknown>> = {}) {
    super(`this ${role} is busy: ${what}`, { blame: role, retry: 'later', fix: 'Try another node, or later.', details })
  }
}

/** The node is starting, stopping, or not (or no longer) admitted to serve by the chain. */
export class NotServingError extends MemoError {
  override readonly name: string = 'NotServingError'
  constructor(role: NodeRole, why: string) {
    super(`this ${role} takes nothing on: ${why}`, { blame: role, retry: 'later', fix: 'Try another node.' })
  }
}

/** The node failed inside. What failed is in its own log and not in this error, which goes to strangers. */
export class NodeFaultError extends MemoError {
  override readonly name: string = 'NodeFaultError'
  constructor(role: NodeRole) {
    super(`this ${role} failed to answer; its log says why`, { blame: role, retry: 'later' })
  }
}

/** The roles that answer requests. */
export type NodeRole = 'provider' | 'keeper'
