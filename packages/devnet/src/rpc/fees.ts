import type { Chain } from '../chain.ts'
import { quantity } from '../hex.ts'
import type { StoredBlock } from '../stored-block.ts'
import { findBlockRef, type RpcMethod } from './context.ts'
import { invalidParams, serverError } from './errors.ts'
import { parseCount } from './params.ts'

/** The tip that is suggested: one gwei, so that a fee estimate outlives a few full blocks. */
const SUGGESTED_TIP = 1_000_000_000n

const MAX_HISTORY_BLOCKS = 1024
const MAX_PERCENTILES = 100

/** Methods that tell what to pay. */
export const feeMethods: Readonly<Record<string, RpcMethod>> = {
  eth_gasPrice: ({ chain }) => quantity(chain.head.block.header.calcNextBaseFee() + SUGGESTED_TIP),

  eth_maxPriorityFeePerGas: () => quantity(SUGGESTED_TIP),

  eth_blobBaseFee: () => '0x1',

  eth_feeHistory: ({ chain }, [count, newest, percentiles]) => {
    const wanted = typeof count === 'number' ? count : parseCount(count, 'blockCount')
    if (!Number.isSafeInteger(wanted) || wanted < 1)
      throw invalidParams('invalid argument blockCount: at least 1 expected')
    const ref = findBlockRef(chain, newest)
    if (ref === undefined) throw serverError('request beyond head block')
    const last = ref === 'pending' ? chain.head : ref
    return feeHistory(chain, last, Math.min(wanted, MAX_HISTORY_BLOCKS, last.number + 1), parsePercentiles(percentiles))
  },
}

function parsePercentiles(value: unknown): number[] {
  if (value === undefined || value === null) return []
  const ok = Array.isArray(value) && value.length <= MAX_PERCENTILES
  if (!ok) throw invalidParams(`invalid argument rewardPercentiles: at most ${MAX_PERCENTILES} numbers expected`)
  for (const [index, percentile] of value.entries()) {
    const rises = index === 0 || percentile >= value[index - 1]
    if (typeof percentile !== 'number' || !(percentile >= 0 && percentile <= 100) || !rises) {
      throw serverError(`invalid reward percentile: #${index}:${percentile}`)
    }
  }
  return value
}

function feeHistory(chain: Chain, last: StoredBlock, count: number, percentiles: readonly number[]): unknown {
  const blocks = Array.from({ length: count }, (_, index) => chain.findBlock(last.number - count + 1 + index)!)
  const baseFees = [...blocks.map(({ block }) => block.header.baseFeePerGas ?? 0n), last.block.header.calcNextBaseFee()]
  return {
    oldestBlock: quantity(last.number - count + 1),
    baseFeePerGas: baseFees.map(quantity),
    gasUsedRatio: blocks.map(({ block }) => Number(block.header.gasUsed) / Number(block.header.gasLimit)),
    baseFeePerBlobGas: baseFees.map(() => '0x1'),
    blobGasUsedRatio: blocks.map(() => 0),
    ...(percentiles.length === 0 ? {} : { reward: blocks.map((stored) => rewards(stored, percentiles)) }),
  }
}

/** The tips at percentiles of the gas used, as geth weighs them. */
function rewards({ block, receipts }: StoredBlock, percentiles: readonly number[]): string[] {
  const baseFee = block.header.baseFeePerGas ?? 0n
  const tips = receipts
    .map(({ effectiveGasPrice, gasUsed }) => ({ tip: effectiveGasPrice - baseFee, gasUsed: Number(gasUsed) }))
    .sort((a, b) => (a.tip < b.tip ? -1 : a.tip > b.tip ? 1 : 0))
  let index = 0
  let reached = tips[0]?.gasUsed ?? 0
  return percentiles.map((percentile) => {
    const threshold = (Number(block.header.gasUsed) * percentile) / 100
    while (reached < threshold && index < tips.length - 1) {
      index += 1
      reached += tips[index]!.gasUsed
    }
    return quantity(tips[index]?.tip ?? 0n)
  })
}
