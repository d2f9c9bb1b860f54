import { type Block, createBlockFromRLP } from '@ethereumjs/block'
import type { Common } from '@ethereumjs/common'
import { type Hex, hexFromBytes } from './hex.ts'
import { decodeReceipts, type Receipt } from './receipts.ts'
import type { BlockRow } from './store.ts'

/** A block that is on disk, with its receipts. */
export type StoredBlock = {
  readonly block: Block
  readonly number: number
  readonly timestamp: number
  readonly hash: Hex
  readonly sizeBytes: number
  readonly receipts: readonly Receipt[]
}

/** A block and its receipts in the shape in which callers read them. */
export function storedBlockFrom(block: Block, receipts: readonly Receipt[], sizeBytes: number): StoredBlock {
  return {
    block,
    number: Number(block.header.number),
    timestamp: Number(block.header.timestamp),
    hash: hexFromBytes(block.hash()),
    sizeBytes,
    receipts,
  }
}

/** Decodes what our own store kept. */
export function decodeStoredBlock(row: BlockRow, common: Common): StoredBlock {
  const block = createBlockFromRLP(row.rlp, { common })
  return storedBlockFrom(block, decodeReceipts(row.receipts), row.rlp.length)
}
