import { MemoError } from '@memo/core'
import { formatEther, formatGwei } from 'viem'

/** Nothing answers JSON-RPC at the address, or it answers with something else. */
export class RpcUnreachable extends MemoError {
  override readonly name = 'RpcUnreachable'
  constructor(rpcUrl: string, cause: unknown) {
    super(`no chain answers at ${hideCredentials(rpcUrl)}`, {
      blame: 'chain',
      retry: 'later',
      fix: 'Start the chain, or give the URL of one that runs.',
      details: { rpcUrl: hideCredentials(rpcUrl) },
      cause,
    })
  }
}

/** The chain answered, and refused the request itself. */
export class RpcRefused extends MemoError {
  override readonly name = 'RpcRefused'
  constructor(what: string, cause: unknown) {
    super(`the chain refused to ${what}: ${firstLine(cause)}`, { blame: 'chain', retry: 'later', cause })
  }
}

/** An action that writes was asked of a client without an account. */
export class AccountMissing extends MemoError {
  override readonly name = 'AccountMissing'
  constructor() {
    super('this client has no account to sign transactions with', {
      blame: 'us',
      retry: 'never',
      fix: 'Give createChainClient or connectNetwork an account.',
    })
  }
}

/** What a transaction may take of the chain's own coin at the most, and what its account has, in wei. */
export type GasBill = { readonly needsWei: bigint; readonly hasWei: bigint }

/** The account cannot pay for the gas of a transaction, or for what it sends of the chain's own coin. Nothing was sent. */
export class GasMoneyMissing extends MemoError {
  override readonly name = 'GasMoneyMissing'
  constructor(account: string, bill: GasBill | undefined, cause?: unknown) {
    const missingWei = bill && bill.needsWei - bill.hasWei
    const text = bill
      ? `${account} has ${formatEther(bill.hasWei)} of the chain's own coin, and the transaction may take ${formatEther(bill.needsWei)}`
      : `${account} has too little of the chain's own coin to pay for gas`
    const sum = missingWei === undefined ? 'some of' : `${formatEther(missingWei)} or more of`
    super(text, {
      blame: 'user',
      retry: 'later',
      fix: `Send ${sum} the chain's coin to ${account}, then do the same again; \`memo wallet\` shows what is there.`,
      details: { account, ...(bill ? { needsWei: `${bill.needsWei}`, hasWei: `${bill.hasWei}` } : {}) },
      cause,
    })
  }
}

/** A transaction was sent and no receipt came in time. It may still come: the same client, asked the same, waits on for it. */
export class ReceiptTimeout extends MemoError {
  override readonly name = 'ReceiptTimeout'
  constructor(hash: string, waitedMs: number, cause?: unknown, nonce?: number) {
    const which = nonce === undefined ? hash : `${hash} with nonce ${nonce}`
    super(`no receipt for ${which} after ${waitedMs} ms`, {
      cause,
      blame: 'chain',
      retry: 'later',
      fix: 'Look whether the chain makes blocks; then ask again. `memo wallet unstick` replaces what never lands.',
      details: { hash, waitedMs, ...(nonce === undefined ? {} : { nonce }) },
    })
  }
}

/** Gas costs more than the limit that was set, and did for as long as was to be waited. Nothing was sent. */
export class GasTooExpensive extends MemoError {
  override readonly name = 'GasTooExpensive'
  constructor({ gas, feeWei, limitWei }: { gas: bigint; feeWei: bigint; limitWei: bigint }) {
    const [fee, limit, cost] = [formatGwei(feeWei), formatGwei(limitWei), formatEther(gas * feeWei)]
    super(`gas costs ${fee} gwei now, above the limit of ${limit} gwei: ${cost} of the chain's coin for this call`, {
      blame: 'chain',
      retry: 'later',
      fix: 'Wait until gas is cheaper, or raise the limit: --max-gas-price GWEI or MEMO_MAX_GAS_PRICE.',
      details: { gas: `${gas}`, feeWei: `${feeWei}`, costWei: `${gas * feeWei}`, limitWei: `${limitWei}` },
    })
  }
}

/** Another transaction of the account took the number of this one, which never counts: another process has the same key. */
export class NonceTaken extends MemoError {
  override readonly name = 'NonceTaken'
  constructor(nonce: number, { hash, taker }: { hash: string; taker: string }) {
    super(`the transaction ${taker} took nonce ${nonce} before ${hash}, which never counts`, {
      blame: 'user',
      retry: 'now',
      fix: 'Send again. Let only one process at a time spend from one key.',
      details: { nonce, hash, taker },
    })
  }
}

/** The endpoint is at an older block than one in which this client has written. */
export class RpcBehind extends MemoError {
  override readonly name = 'RpcBehind'
  constructor(height: bigint, seen: bigint) {
    super(`the chain's node is at block ${height}, and block ${seen} was seen before`, {
      blame: 'chain',
      retry: 'now',
      fix: 'Ask again; use a node that keeps up with the chain.',
      details: { height: Number(height), seen: Number(seen) },
    })
  }
}

/** A transaction is in a block and failed, and the same call does not fail again: another one came before it. */
export class TransactionReverted extends MemoError {
  override readonly name = 'TransactionReverted'
  constructor(hash: string) {
    super(`the transaction ${hash} failed because the state changed under it`, {
      blame: 'chain',
      retry: 'now',
      details: { hash },
    })
  }
}

/** Credentials in a URL are secrets and stay out of messages. */
export function hideCredentials(rpcUrl: string): string {
  const url = URL.parse(rpcUrl)
  if (url === null) return 'an invalid URL'
  return `${url.protocol}//${url.host}`
}

/** What the chain said, in one line, without the request that viem repeats. */
export function firstLine(error: unknown): string {
  const { details } = error as { details?: unknown }
  const text = typeof details === 'string' && details !== '' ? details : String((error as Error).message ?? error)
  return text.split('\n', 1)[0] ?? ''
}
