import type { TypedTransaction } from '@ethereumjs/tx'
import { minOf } from './bigint.ts'
import { type Hex, hexFromBytes } from './hex.ts'

/** A transaction whose signature was checked, with what the pool and the miner ask of it. */
export type PoolTx = {
  readonly tx: TypedTransaction
  readonly hash: Hex
  readonly sender: Hex
  readonly nonce: number
  readonly gasLimit: bigint
  /** Most that it pays per gas: `maxFeePerGas`, or `gasPrice` of the older types. */
  readonly feeCap: bigint
  /** Most that it tips per gas: `maxPriorityFeePerGas`, or `gasPrice` of the older types. */
  readonly tipCap: bigint
  /** Most that it can take from its sender: gas at the fee cap, and the value. */
  readonly cost: bigint
  /** Its place in the order of arrival. */
  readonly arrival: number
}

/** Reads a decoded transaction. Recovers the sender, which throws when the signature is none. */
export function poolTxFrom(tx: TypedTransaction, arrival: number): PoolTx {
  const feeCap = 'maxFeePerGas' in tx ? tx.maxFeePerGas : tx.gasPrice
  const tipCap = 'maxPriorityFeePerGas' in tx ? tx.maxPriorityFeePerGas : tx.gasPrice
  return {
    tx,
    hash: hexFromBytes(tx.hash()),
    sender: hexFromBytes(tx.getSenderAddress().bytes),
    nonce: Number(tx.nonce),
    gasLimit: tx.gasLimit,
    feeCap,
    tipCap,
    cost: tx.gasLimit * feeCap + tx.value,
    arrival,
  }
}

/** What a miner earns per gas at a base fee; negative when the transaction cannot be mined at it. */
export function effectiveTip(tx: PoolTx, baseFee: bigint): bigint {
  return minOf(tx.tipCap, tx.feeCap - baseFee)
}
