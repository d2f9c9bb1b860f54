import { createTxFromRLP, type TypedTransaction } from '@ethereumjs/tx'
import type { Chain } from '../chain.ts'
import { bytesFromHex } from '../hex.ts'
import { type PoolTx, poolTxFrom } from '../pool-tx.ts'
import { isDelegation } from '../state-reader.ts'
import { type BlockRef, findBlockRef, type RpcMethod } from './context.ts'
import { invalidParams, RPC_CODES, RpcError, serverError } from './errors.ts'
import { formatMinedTx, formatPendingTx, formatReceipt } from './format.ts'
import { parseCount, parseData, parseHash } from './params.ts'

/** The largest transaction, as in geth's pool. */
const MAX_TX_BYTES = 128 * 1024

/** The types that this chain takes: legacy, access list, fee market, set code. Blobs have no use here. */
const ACCEPTED_TYPES: readonly number[] = [0, 1, 2, 4]

const UNPROTECTED_V: readonly bigint[] = [27n, 28n]

/** Methods that take and read transactions. */
export const transactionMethods: Readonly<Record<string, RpcMethod>> = {
  eth_sendRawTransaction: async ({ chain, miner }, [raw]) => {
    const pooled = decode(chain, bytesFromHex(parseData(raw, 'transaction')))
    assertAdmissible(chain, pooled)
    await addToPool(chain, pooled)
    miner.poke()
    return pooled.hash
  },

  eth_getTransactionByHash: ({ chain }, [value]) => {
    const hash = parseHash(value, 'hash')
    const pending = chain.pool.find(hash)
    if (pending !== undefined) return formatPendingTx(pending)
    const place = chain.findTxPlace(hash)
    return place === undefined
      ? null
      : formatMinedTx({ stored: chain.findBlock(place.block)!, position: place.position })
  },

  eth_getTransactionByBlockHashAndIndex: ({ chain }, [hash, index]) =>
    transactionAt(chain.findBlockByHash(parseHash(hash, 'hash')), parseCount(index, 'index')),

  eth_getTransactionByBlockNumberAndIndex: ({ chain }, [block, index]) =>
    transactionAt(findBlockRef(chain, block), parseCount(index, 'index')),

  eth_getTransactionReceipt: ({ chain }, [value]) => {
    const place = chain.findTxPlace(parseHash(value, 'hash'))
    return place === undefined
      ? null
      : formatReceipt({ stored: chain.findBlock(place.block)!, position: place.position })
  },
}

function transactionAt(ref: BlockRef, position: number): unknown {
  if (ref === undefined || ref === 'pending' || ref.receipts[position] === undefined) return null
  return formatMinedTx({ stored: ref, position })
}

function decode(chain: Chain, raw: Uint8Array): PoolTx {
  if (raw.length > MAX_TX_BYTES) {
    throw serverError(`oversized data: transaction size ${raw.length}, limit ${MAX_TX_BYTES}`)
  }
  const type = raw[0] !== undefined && raw[0] < 0x80 ? raw[0] : 0
  if (!ACCEPTED_TYPES.includes(type)) throw serverError('transaction type not supported')
  const tx = parse(chain, raw)
  if (!tx.isSigned()) throw serverError('invalid sender')
  try {
    return poolTxFrom(tx, chain.nextArrival())
  } catch (cause) {
    throw new RpcError(RPC_CODES.server, 'invalid sender', { cause })
  }
}

function parse(chain: Chain, raw: Uint8Array): TypedTransaction {
  try {
    return createTxFromRLP(raw, { common: chain.common })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    if (/initcode size/.test(reason)) throw new RpcError(RPC_CODES.server, 'max initcode size exceeded', { cause })
    if (/chain ?id/i.test(reason)) throw new RpcError(RPC_CODES.server, wrongChain(chain), { cause })
    if (/maxFeePerGas/.test(reason)) {
      const message = 'max priority fee per gas higher than max fee per gas'
      throw new RpcError(RPC_CODES.server, message, { cause })
    }
    throw invalidParams(`invalid transaction: ${reason.slice(0, 200)}`)
  }
}

/** What can be said of a transaction without looking at any account. */
function assertAdmissible(chain: Chain, { tx, gasLimit }: PoolTx): void {
  if (tx.v !== undefined && tx.type === 0 && UNPROTECTED_V.includes(tx.v)) {
    throw serverError('only replay-protected (EIP-155) transactions allowed over RPC')
  }
  const limit = chain.head.block.header.gasLimit
  if (gasLimit > limit) throw serverError('exceeds block gas limit')
  const intrinsic = tx.getIntrinsicGas()
  if (gasLimit < intrinsic) throw serverError(`intrinsic gas too low: gas ${gasLimit}, minimum needed ${intrinsic}`)
  const floor = tx.getMinimumGasLimit()
  if (gasLimit < floor) {
    throw serverError(`insufficient gas for floor data gas cost: gas ${gasLimit}, minimum needed ${floor}`)
  }
}

/** Adds under the account as the head has it: a block that is stored while the account is read starts it over. */
async function addToPool(chain: Chain, pooled: PoolTx): Promise<void> {
  for (;;) {
    const { head } = chain
    const { stateRoot } = head.block.header
    const account = await chain.state.account(stateRoot, pooled.sender)
    const code = account.isContract() ? await chain.state.code(stateRoot, pooled.sender) : new Uint8Array()
    if (chain.head !== head) continue
    chain.assertRunning()
    if (code.length > 0 && !isDelegation(code)) throw serverError('sender not an eoa')
    chain.pool.add(pooled, { nonce: Number(account.nonce), balance: account.balance })
    return
  }
}

function wrongChain(chain: Chain): string {
  return `invalid sender: invalid chain id for signer: this chain is ${chain.common.chainId()}`
}
