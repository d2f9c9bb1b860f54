import type { Account, Address, AmendmentTerms, Chain, OrderTerms } from '@memo/core'

/**
 * What an order book does with the chain: reads that are not cached, and the transactions of one account. `createOrderMoney`
 * (`@memo/sdk/chain`) is the one over a real chain.
 */
export type OrderMoney = Pick<Chain, 'money' | 'getBlock' | 'findOrder' | 'getEpochs' | 'getReadAllowance'> & {
  /** The account that pays: a User. */
  readonly account: Address
  findProvider(address: Address): Promise<Account | undefined>
  getFreeEscrow(): Promise<bigint>
  isNonceUsed(nonce: bigint): Promise<boolean>
  /** The order that was opened under this nonce in or after a block; undefined when there is none. */
  findOpened(nonce: bigint, fromBlock: number): Promise<bigint | undefined>
  /** Orders of this account that are not over, whoever opened them. */
  listOwnOrders(): Promise<readonly bigint[]>
  /** Submits an order that the provider signed. Errors: `ContractRefused` when it can never be; others when nobody knows. */
  openOrder(terms: OrderTerms, providerSignature: Uint8Array, signal: AbortSignal): Promise<bigint>
  amendOrder(terms: AmendmentTerms, providerSignature: Uint8Array, signal: AbortSignal): Promise<void>
  /**
   * Locks money for reading, once under the key `once`: asked for again, also by a later process, it waits for what was sent.
   * The contract counts nothing that would tell two of them apart.
   */
  allowReads(
    orderId: bigint,
    sizeBytes: number,
    maxPriceAttoPerByte: bigint,
    once: string,
    signal: AbortSignal,
  ): Promise<void>
  /** What was sent under a key need not be remembered any more. */
  forgetSent(once: string): Promise<void>
}

/** Name of the error with which a contract refuses for good; `details.reason` says why. */
const CONTRACT_REFUSED = 'ContractRefused'

/** Why a contract refused, where it did: then nothing has moved. */
export function refusalReasonOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || thrown.name !== CONTRACT_REFUSED) return undefined
  const { details } = thrown as { details?: { reason?: unknown } }
  return typeof details?.reason === 'string' ? details.reason : 'Unknown'
}
