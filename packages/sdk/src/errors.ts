import { type Address, MemoError } from '@memo/core'

/** What one node did wrong, as it stands in the details of an error. */
export type NodeFault = {
  readonly role: 'provider' | 'keeper'
  readonly address: Address
  /** Name of the error. */
  readonly name: string
  readonly message: string
}

/** The fault that `thrown` shows of a node. */
export function nodeFault(role: NodeFault['role'], address: Address, thrown: unknown): NodeFault {
  const error = thrown instanceof Error ? thrown : new TypeError(String(thrown))
  return { role, address, name: error.name, message: error.message }
}

/** The network has too few providers that could take the pieces. */
export class NotEnoughProvidersError extends MemoError {
  override readonly name: string = 'NotEnoughProvidersError'
  constructor(needed: number, found: number, faults: readonly NodeFault[]) {
    super(`${needed} providers are needed and ${found} can take a piece${faultText(faults)}`, {
      blame: 'provider',
      retry: 'later',
      fix: 'Try again when more providers are online, or put with a smaller policy.',
      details: { needed, found, faults },
    })
  }
}

/** Too many providers failed while they were given their pieces; what they had stored was deleted. */
export class UploadFailedError extends MemoError {
  override readonly name: string = 'UploadFailedError'
  constructor(needed: number, stored: number, faults: readonly NodeFault[], cause?: unknown) {
    super(`${stored} pieces of a part were stored where at least ${needed} must be${faultText(faults)}`, {
      blame: 'provider',
      retry: 'now',
      fix: 'Put the object again: other providers will be chosen.',
      details: { needed, stored, faults },
      cause,
    })
  }
}

/** The pieces are stored, but too few keepers took the index entry: the object may be lost. */
export class NotDurableError extends MemoError {
  override readonly name: string = 'NotDurableError'
  constructor(needed: number, acks: number, faults: readonly NodeFault[]) {
    super(`${acks} of the ${needed} keepers needed took the index entry${faultText(faults)}`, {
      blame: 'keeper',
      retry: 'later',
      fix: 'Put the object again: the entry is handed over again, and what providers hold is used again.',
      details: { needed, acks, faults },
    })
  }
}

/** So many keepers refuse an index entry for good that it can never be durable, and none has taken it. */
export class EntryRefusedError extends MemoError {
  override readonly name: string = 'EntryRefusedError'
  constructor(refusals: readonly NodeFault[]) {
    super(`keepers refuse the index entry${faultText(refusals)}`, {
      blame: 'user',
      retry: 'never',
      fix: 'Check that the DID exists and is active, and that this account is one of its keys or shows its login.',
      details: { faults: refusals },
    })
  }
}

/** No keeper answered. */
export class KeepersUnreachableError extends MemoError {
  override readonly name: string = 'KeepersUnreachableError'
  constructor(
    what: string,
    faults: readonly NodeFault[],
    fix = 'Check the connection to the network, then try again.',
  ) {
    super(`no keeper could say ${what}${faultText(faults)}`, {
      blame: 'keeper',
      retry: 'later',
      fix,
      details: { faults },
    })
  }
}

/** A keeper's copy of a log is not the log that its writer signed. */
export class BrokenLogError extends MemoError {
  override readonly name: string = 'BrokenLogError'
  constructor(keeper: Address, what: string, details: Readonly<Record<string, unknown>>) {
    super(`keeper ${keeper} keeps a broken log: ${what}`, {
      blame: 'keeper',
      retry: 'now',
      fix: 'Read the log from another keeper.',
      details: { keeper, ...details },
    })
  }
}

/** Fewer than k pieces of a stripe could be read. */
export class NotEnoughPiecesError extends MemoError {
  override readonly name: string = 'NotEnoughPiecesError'
  constructor(
    needed: number,
    present: number,
    pieces: readonly { readonly index: number; readonly provider: string; readonly reason: string }[],
    details: Readonly<Record<string, unknown>>,
  ) {
    const named = pieces.map(({ index, provider, reason }) => `piece ${index} at ${provider}: ${reason}`).join('; ')
    super(`${needed} pieces are needed to read a stripe, and ${present} could be read (${named})`, {
      blame: 'provider',
      retry: 'later',
      fix: 'Try again when more of the providers answer.',
      details: { needed, present, pieces, ...details },
    })
  }
}

/** What was read is not what was put: the bytes have another CID. */
export class CidMismatchError extends MemoError {
  override readonly name: string = 'CidMismatchError'
  constructor(expected: string, actual: string) {
    super(`the object read has the CID ${actual} where its manifest says ${expected}`, {
      blame: 'user',
      retry: 'never',
      fix: 'Its writer recorded another CID than that of the bytes: do not use what was read.',
      details: { expected, actual },
    })
  }
}

/** The storage was closed while a call was under way. */
export class StorageClosedError extends MemoError {
  override readonly name: string = 'StorageClosedError'
  constructor() {
    super('the storage was closed', { blame: 'us', retry: 'never' })
  }
}

function faultText(faults: readonly NodeFault[]): string {
  if (faults.length === 0) return ''
  return ` (${faults.map(({ role, address, message }) => `${role} ${address}: ${message}`).join('; ')})`
}
