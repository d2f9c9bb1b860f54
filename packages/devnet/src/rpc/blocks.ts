import { quantity } from '../hex.ts'
import { type BlockRef, findBlockRef, pendingBlock, type RpcContext, type RpcMethod } from './context.ts'
import { formatBlock, formatPendingBlock, formatReceipt } from './format.ts'
import { parseHash } from './params.ts'

/** Methods that read blocks. */
export const blockMethods: Readonly<Record<string, RpcMethod>> = {
  eth_blockNumber: ({ chain }) => quantity(chain.head.number),

  eth_getBlockByNumber: (context, [block, full]) => format(context, findBlockRef(context.chain, block), full === true),

  eth_getBlockByHash: (context, [hash, full]) =>
    format(context, context.chain.findBlockByHash(parseHash(hash, 'hash')), full === true),

  eth_getBlockTransactionCountByNumber: ({ chain }, [block]) => {
    const found = findBlockRef(chain, block)
    if (found === undefined) return null
    return quantity(found === 'pending' ? 0 : found.block.transactions.length)
  },

  eth_getBlockTransactionCountByHash: ({ chain }, [hash]) => {
    const found = chain.findBlockByHash(parseHash(hash, 'hash'))
    return found === undefined ? null : quantity(found.block.transactions.length)
  },

  eth_getBlockReceipts: ({ chain }, [block]) => {
    const isHash = typeof block === 'string' && block.length === 66
    const stored = isHash ? chain.findBlockByHash(parseHash(block, 'hash')) : findBlockRef(chain, block)
    if (stored === undefined || stored === 'pending') return null
    return stored.receipts.map((_, position) => formatReceipt({ stored, position }))
  },
}

async function format({ chain }: RpcContext, ref: BlockRef, full: boolean): Promise<unknown> {
  if (ref === undefined) return null
  if (ref !== 'pending') return formatBlock(ref, full)
  return formatPendingBlock(pendingBlock(chain), await chain.listWaiting(), full)
}
