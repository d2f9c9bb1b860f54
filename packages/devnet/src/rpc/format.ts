import type { Block } from '@ethereumjs/block'
import { Capability, type TypedTransaction } from '@ethereumjs/tx'
import { Bloom } from '@ethereumjs/vm'
import { bytesFromHex, type Hex, hexFromBytes, quantity } from '../hex.ts'
import type { PoolTx } from '../pool-tx.ts'
import type { Log, Receipt } from '../receipts.ts'
import type { StoredBlock } from '../stored-block.ts'

type Json = Record<string, unknown>

/** Where a mined transaction stands. */
type Place = { readonly stored: StoredBlock; readonly position: number }

/** A stored block; `full` gives transactions as objects instead of hashes. */
export function formatBlock(stored: StoredBlock, full: boolean): Json {
  const transactions = stored.block.transactions.map((tx, position) =>
    full ? formatMinedTx({ stored, position }) : hexFromBytes(tx.hash()),
  )
  return { ...formatHeader(stored.block), hash: stored.hash, size: quantity(stored.sizeBytes), transactions }
}

/** The block that would come next: as geth does, what only a sealed block has is null. */
export function formatPendingBlock(block: Block, waiting: readonly PoolTx[], full: boolean): Json {
  const transactions = waiting.map((pooled) => (full ? formatPendingTx(pooled) : pooled.hash))
  const unsealed = { hash: null, nonce: null, miner: null, logsBloom: null }
  return { ...formatHeader(block), ...unsealed, size: quantity(block.serialize().length), transactions }
}

function formatHeader({ header }: Block): Json {
  return {
    number: quantity(header.number),
    parentHash: hexFromBytes(header.parentHash),
    sha3Uncles: hexFromBytes(header.uncleHash),
    miner: header.coinbase.toString(),
    stateRoot: hexFromBytes(header.stateRoot),
    transactionsRoot: hexFromBytes(header.transactionsTrie),
    receiptsRoot: hexFromBytes(header.receiptTrie),
    logsBloom: hexFromBytes(header.logsBloom),
    difficulty: '0x0',
    totalDifficulty: '0x0',
    gasLimit: quantity(header.gasLimit),
    gasUsed: quantity(header.gasUsed),
    timestamp: quantity(header.timestamp),
    extraData: hexFromBytes(header.extraData),
    mixHash: hexFromBytes(header.mixHash),
    nonce: hexFromBytes(header.nonce),
    baseFeePerGas: quantity(header.baseFeePerGas ?? 0n),
    withdrawalsRoot: hexFromBytes(header.withdrawalsRoot!),
    withdrawals: [],
    blobGasUsed: quantity(header.blobGasUsed ?? 0n),
    excessBlobGas: quantity(header.excessBlobGas ?? 0n),
    parentBeaconBlockRoot: hexFromBytes(header.parentBeaconBlockRoot!),
    requestsHash: hexFromBytes(header.requestsHash!),
    uncles: [],
  }
}

export function formatMinedTx({ stored, position }: Place): Json {
  const receipt = stored.receipts[position]!
  return {
    ...formatTx(stored.block.transactions[position]!, receipt.sender),
    gasPrice: quantity(receipt.effectiveGasPrice),
    blockHash: stored.hash,
    blockNumber: quantity(stored.number),
    transactionIndex: quantity(position),
  }
}

export function formatPendingTx({ tx, sender, feeCap }: PoolTx): Json {
  const nowhere = { blockHash: null, blockNumber: null, transactionIndex: null }
  return { ...formatTx(tx, sender), gasPrice: quantity(feeCap), ...nowhere }
}

function formatTx(tx: TypedTransaction, sender: Hex): Json {
  const json = tx.toJSON() as Json
  const typed = tx.supports(Capability.EIP2718TypedTransaction)
  return {
    type: quantity(tx.type),
    hash: hexFromBytes(tx.hash()),
    from: sender,
    to: tx.to === undefined ? null : tx.to.toString(),
    nonce: quantity(tx.nonce),
    gas: quantity(tx.gasLimit),
    value: quantity(tx.value),
    input: hexFromBytes(tx.data),
    v: quantity(tx.v ?? 0n),
    r: quantity(tx.r ?? 0n),
    s: quantity(tx.s ?? 0n),
    ...(typed || tx.supports(Capability.EIP155ReplayProtection) ? { chainId: quantity(tx.common.chainId()) } : {}),
    ...(typed ? { yParity: quantity(tx.v ?? 0n), accessList: json.accessList } : {}),
    ...('maxFeePerGas' in tx
      ? { maxFeePerGas: quantity(tx.maxFeePerGas), maxPriorityFeePerGas: quantity(tx.maxPriorityFeePerGas) }
      : {}),
    ...(json.authorizationList === undefined ? {} : { authorizationList: json.authorizationList }),
  }
}

export function formatReceipt({ stored, position }: Place): Json {
  const receipt = stored.receipts[position]!
  const tx = stored.block.transactions[position]!
  return {
    type: quantity(tx.type),
    status: quantity(receipt.status),
    transactionHash: hexFromBytes(tx.hash()),
    transactionIndex: quantity(position),
    blockHash: stored.hash,
    blockNumber: quantity(stored.number),
    from: receipt.sender,
    to: tx.to === undefined ? null : tx.to.toString(),
    contractAddress: receipt.contractAddress ?? null,
    gasUsed: quantity(receipt.gasUsed),
    cumulativeGasUsed: quantity(receipt.cumulativeGasUsed),
    effectiveGasPrice: quantity(receipt.effectiveGasPrice),
    logs: formatLogs(stored, position),
    logsBloom: bloomOf(receipt),
  }
}

/** The logs of one transaction, numbered through the block. */
export function formatLogs(stored: StoredBlock, position: number): Json[] {
  const before = stored.receipts.slice(0, position).reduce((sum, { logs }) => sum + logs.length, 0)
  return stored.receipts[position]!.logs.map((log, index) => formatLog(stored, position, log, before + index))
}

function formatLog(stored: StoredBlock, position: number, log: Log, logIndex: number): Json {
  return {
    address: log.address,
    topics: log.topics,
    data: log.data,
    blockHash: stored.hash,
    blockNumber: quantity(stored.number),
    blockTimestamp: quantity(stored.timestamp),
    transactionHash: hexFromBytes(stored.block.transactions[position]!.hash()),
    transactionIndex: quantity(position),
    logIndex: quantity(logIndex),
    removed: false,
  }
}

function bloomOf(receipt: Receipt): Hex {
  const bloom = new Bloom()
  for (const log of receipt.logs) {
    bloom.add(bytesFromHex(log.address))
    for (const topic of log.topics) bloom.add(bytesFromHex(topic))
  }
  return hexFromBytes(bloom.bitvector)
}
