import { createHash } from 'node:crypto'
import { Block, createBlockHeader, genTransactionsTrieRoot, type HeaderData } from '@ethereumjs/block'
import type { Common } from '@ethereumjs/common'
import type { Log as EvmLog } from '@ethereumjs/evm'
import { MerklePatriciaTrie } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import type { TypedTransaction } from '@ethereumjs/tx'
import {
  Address,
  bigIntToBytes,
  bigIntToUnpaddedBytes,
  generateAddress,
  KECCAK256_RLP,
  setLengthLeft,
} from '@ethereumjs/util'
import { Bloom, encodeReceipt, type RunTxResult, runTx, type VM } from '@ethereumjs/vm'
import { FIXED_HEADER, HISTORY_ADDRESS_BYTES } from './genesis.ts'
import { type Hex, hexFromBytes } from './hex.ts'
import type { Candidates } from './ordering.ts'
import { effectiveTip, type PoolTx } from './pool-tx.ts'
import type { Log, Receipt } from './receipts.ts'
import { isStoreFailure } from './store.ts'

/** EIP-2935: how many block hashes the history contract keeps. */
const HISTORY_SERVE_WINDOW = 8191n

/** Executing runs in microtasks only; after this long the event loop gets a turn. */
const YIELD_EVERY_MS = 10

/** Less gas than any transaction needs: with no more left, a block is full. */
const MIN_TX_GAS = 21_000n

/** A block that stands in the state manager's nodes but is not stored yet. */
export type BuiltBlock = {
  readonly block: Block
  readonly receipts: readonly Receipt[]
  readonly included: readonly PoolTx[]
  /** Transactions that turned out to be impossible in this state. */
  readonly rejected: readonly PoolTx[]
}

/** What the block before determines of the one after it, and the time given to it. */
export function nextHeader(parent: Block, timestamp: number): HeaderData {
  const { header } = parent
  return {
    ...FIXED_HEADER,
    parentHash: parent.hash(),
    number: header.number + 1n,
    timestamp,
    gasLimit: header.gasLimit,
    baseFeePerGas: header.calcNextBaseFee(),
    // PREVRANDAO differs from block to block and is reproducible: it is no source of randomness.
    mixHash: createHash('sha256').update(parent.hash()).digest(),
  }
}

/**
 * Executes candidates on top of `parent`, whose state `vm` stands at, and seals the block. On return the new nodes
 * are with the state database; on a throw the state is as it was.
 */
export async function buildBlock(
  vm: VM,
  parent: Block,
  timestamp: number,
  candidates: Candidates,
): Promise<BuiltBlock> {
  const header = nextHeader(parent, timestamp)
  await vm.evm.journal.checkpoint()
  try {
    await storeParentHash(vm, parent)
    const run = await runCandidates(vm, header, candidates)
    const block = await seal(vm, header, run)
    await vm.evm.journal.commit()
    return { block, receipts: run.receipts, included: run.included, rejected: run.rejected }
  } catch (error) {
    await vm.evm.journal.revert()
    throw error
  }
}

/** EIP-2935: the parent's hash goes into the history contract before the first transaction. */
async function storeParentHash(vm: VM, parent: Block): Promise<void> {
  const slot = setLengthLeft(bigIntToBytes(parent.header.number % HISTORY_SERVE_WINDOW), 32)
  await vm.stateManager.putStorage(new Address(HISTORY_ADDRESS_BYTES), slot, parent.hash())
  await vm.evm.journal.cleanup()
}

type Run = {
  readonly included: PoolTx[]
  readonly rejected: PoolTx[]
  readonly results: RunTxResult[]
  readonly receipts: Receipt[]
  gasUsed: bigint
}

async function runCandidates(vm: VM, headerData: HeaderData, candidates: Candidates): Promise<Run> {
  const header = createBlockHeader(headerData, { common: vm.common })
  const block = new Block(header, [], [], [], { common: vm.common })
  const run: Run = { included: [], rejected: [], results: [], receipts: [], gasUsed: 0n }
  let yieldedAt = performance.now()
  for (let next = candidates.peek(); next !== undefined; next = candidates.peek()) {
    const gasLeft = header.gasLimit - run.gasUsed
    if (gasLeft < MIN_TX_GAS) break
    if (next.gasLimit > gasLeft) {
      candidates.pass()
      continue
    }
    const result = await execute(vm, block, next, run.gasUsed)
    if (result === undefined) {
      run.rejected.push(next)
      candidates.pass()
    } else {
      append(run, next, result, header.baseFeePerGas ?? 0n)
      candidates.take()
    }
    if (performance.now() - yieldedAt < YIELD_EVERY_MS) continue
    await new Promise((resolve) => setImmediate(resolve))
    yieldedAt = performance.now()
  }
  return run
}

/**
 * The result, or undefined when the transaction is impossible in this state. Whatever one transaction makes the EVM
 * throw is that transaction's end; only a store that cannot be read is the chain's.
 */
async function execute(vm: VM, block: Block, { tx }: PoolTx, blockGasUsed: bigint): Promise<RunTxResult | undefined> {
  try {
    return await runTx(vm, { tx, block, blockGasUsed, skipHardForkValidation: true })
  } catch (error) {
    if (isStoreFailure(error)) throw error
    return undefined
  }
}

function append(run: Run, pooled: PoolTx, result: RunTxResult, baseFee: bigint): void {
  run.gasUsed += result.totalGasSpent
  run.included.push(pooled)
  run.results.push(result)
  run.receipts.push({
    status: result.execResult.exceptionError === undefined ? 1 : 0,
    sender: pooled.sender,
    gasUsed: result.totalGasSpent,
    cumulativeGasUsed: run.gasUsed,
    effectiveGasPrice: baseFee + effectiveTip(pooled, baseFee),
    contractAddress: createdAddress(pooled),
    logs: (result.execResult.logs ?? []).map(logFromEvm),
  })
}

function createdAddress({ tx }: PoolTx): Hex | undefined {
  if (tx.to !== undefined) return undefined
  return hexFromBytes(generateAddress(tx.getSenderAddress().bytes, bigIntToUnpaddedBytes(tx.nonce)))
}

function logFromEvm([address, topics, data]: EvmLog): Log {
  return { address: hexFromBytes(address), topics: topics.map(hexFromBytes), data: hexFromBytes(data) }
}

async function seal(vm: VM, header: HeaderData, run: Run): Promise<Block> {
  const txs: TypedTransaction[] = run.included.map(({ tx }) => tx)
  const bloom = new Bloom(undefined, vm.common)
  for (const result of run.results) bloom.or(result.bloom)
  const sealed = createBlockHeader(
    {
      ...header,
      stateRoot: await vm.stateManager.getStateRoot(),
      transactionsTrie: await genTransactionsTrieRoot(txs, new MerklePatriciaTrie({ common: vm.common })),
      receiptTrie: await receiptsRoot(vm.common, txs, run.results),
      logsBloom: bloom.bitvector,
      gasUsed: run.gasUsed,
    },
    { common: vm.common },
  )
  return new Block(sealed, txs, [], [], { common: vm.common })
}

async function receiptsRoot(
  common: Common,
  txs: readonly TypedTransaction[],
  results: readonly RunTxResult[],
): Promise<Uint8Array> {
  if (results.length === 0) return KECCAK256_RLP
  const trie = new MerklePatriciaTrie({ common })
  for (const [index, { receipt }] of results.entries()) {
    await trie.put(RLP.encode(index), encodeReceipt(receipt, txs[index]!.type))
  }
  return trie.root()
}
