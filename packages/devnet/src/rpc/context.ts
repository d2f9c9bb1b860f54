import { Block, createBlockHeader } from '@ethereumjs/block'
import { nextHeader } from '../block-builder.ts'
import type { Chain } from '../chain.ts'
import type { Hex } from '../hex.ts'
import type { Miner } from '../miner.ts'
import type { StoredBlock } from '../stored-block.ts'
import { invalidParams, serverError } from './errors.ts'
import type { Filters } from './filters.ts'
import { isObject, parseCount, parseHash } from './params.ts'

/** What every method works on. */
export type RpcContext = {
  readonly chain: Chain
  readonly miner: Miner
  readonly filters: Filters
}

/** A JSON-RPC method: parameters in, a JSON value out. */
export type RpcMethod = (context: RpcContext, params: readonly unknown[]) => unknown

/** A block that a caller names: one that is stored, or the one that would come next. */
export type BlockRef = StoredBlock | 'pending' | undefined

/**
 * The block behind a number, a tag or an EIP-1898 object; undefined when there is none. A stored block is never
 * replaced, so `safe` and `finalized` are the latest one.
 */
export function findBlockRef(chain: Chain, value: unknown): BlockRef {
  if (isObject(value)) return findByObject(chain, value)
  switch (value) {
    case undefined:
    case null:
    case 'latest':
    case 'safe':
    case 'finalized':
      return chain.head
    case 'pending':
      return 'pending'
    case 'earliest':
      return chain.findBlock(0)
    default:
      return chain.findBlock(parseCount(value, 'block number'))
  }
}

function findByObject(chain: Chain, value: Readonly<Record<string, unknown>>): BlockRef {
  if (value.blockHash !== undefined) return chain.findBlockByHash(parseHash(value.blockHash, 'blockHash'))
  if (value.blockNumber === undefined) throw invalidParams('invalid argument: blockNumber or blockHash expected')
  return findBlockRef(chain, value.blockNumber)
}

/** A state to read. The pending state is the latest one: what waits in the pool has not happened. */
export function getState(chain: Chain, value: unknown): { readonly root: Uint8Array; readonly ref: StoredBlock } {
  const found = findBlockRef(chain, value)
  if (found === undefined) throw serverError('header not found')
  const ref = found === 'pending' ? chain.head : found
  return { root: ref.block.header.stateRoot, ref }
}

/** The environment that an execution sees: a stored block's own, or that of the block that would come next. */
export function getEnvironment(chain: Chain, value: unknown): { readonly root: Uint8Array; readonly block: Block } {
  const found = findBlockRef(chain, value)
  if (found === undefined) throw serverError('header not found')
  if (found !== 'pending') return { root: found.block.header.stateRoot, block: found.block }
  return { root: chain.head.block.header.stateRoot, block: pendingBlock(chain) }
}

/** The block that would come next, without transactions. */
export function pendingBlock(chain: Chain): Block {
  const { common, head } = chain
  const header = createBlockHeader(nextHeader(head.block, chain.nextTime().timestamp), { common })
  return new Block(header, [], [], [], { common })
}

/** An account's nonce as a caller that sends several transactions must see it. */
export async function pendingNonce(chain: Chain, address: Hex): Promise<number> {
  const { nonce } = await chain.state.account(chain.head.block.header.stateRoot, address)
  return chain.pool.nextNonce(address, Number(nonce))
}
