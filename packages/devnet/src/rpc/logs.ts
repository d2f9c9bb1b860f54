import type { Chain } from '../chain.ts'
import type { Hex } from '../hex.ts'
import { type LogQuery, matchesLog, queryKeys } from '../log-index.ts'
import { findBlockRef, type RpcMethod } from './context.ts'
import { invalidParams, RPC_CODES, RpcError, serverError } from './errors.ts'
import { formatLogs } from './format.ts'
import { isObject, type JsonObject, parseAddress, parseCount, parseHash } from './params.ts'

/** Blocks that one query may span, logs that it may return, alternatives that one condition may have. */
export const MAX_LOG_RANGE = 10_000
export const MAX_LOG_RESULTS = 20_000
const MAX_ALTERNATIVES = 1_000
const MAX_TOPICS = 4

/** Blocks from `from` to `to`, both included. */
export type LogRange = { readonly from: number; readonly to: number }

/** Methods that search events. */
export const logMethods: Readonly<Record<string, RpcMethod>> = {
  eth_getLogs: ({ chain }, [filter]) => {
    const fields = filterObject(filter)
    return queryLogs(chain, parseQuery(fields), parseRange(chain, fields))
  },
}

/** The filter parameter of `eth_getLogs` and `eth_newFilter`. */
export function filterObject(value: unknown): JsonObject {
  if (!isObject(value)) throw invalidParams('invalid argument filter: object expected')
  return value
}

export function parseQuery(fields: JsonObject): LogQuery {
  const { address, topics = [] } = fields
  if (!Array.isArray(topics) || topics.length > MAX_TOPICS) {
    throw invalidParams(`invalid argument topics: at most ${MAX_TOPICS} positions expected`)
  }
  return {
    addresses: alternatives(address, (value) => parseAddress(value, 'address')),
    topics: topics.map((position) => alternatives(position, (value) => parseHash(value, 'topics'))),
  }
}

/** One value or a list of them; nothing, and a list of nothing, mean any. */
function alternatives(value: unknown, parse: (value: unknown) => Hex): readonly Hex[] | undefined {
  if (value === undefined || value === null) return undefined
  if (!Array.isArray(value)) return [parse(value)]
  if (value.length > MAX_ALTERNATIVES) throw invalidParams(`invalid argument filter: over ${MAX_ALTERNATIVES} values`)
  return value.length === 0 || value.includes(null) ? undefined : [...new Set(value.map(parse))]
}

function parseRange(chain: Chain, fields: JsonObject): LogRange {
  if (fields.blockHash !== undefined) {
    if (fields.fromBlock !== undefined || fields.toBlock !== undefined) {
      throw invalidParams('cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other')
    }
    const stored = chain.findBlockByHash(parseHash(fields.blockHash, 'blockHash'))
    if (stored === undefined) throw serverError('unknown block')
    return { from: stored.number, to: stored.number }
  }
  const from = boundary(chain, fields.fromBlock)
  const to = boundary(chain, fields.toBlock)
  if (from > to) throw invalidParams('invalid block range params')
  if (to - from >= MAX_LOG_RANGE) {
    const message = `block range ${from}-${to} exceeds the limit of ${MAX_LOG_RANGE} blocks: ask for it in parts`
    throw new RpcError(RPC_CODES.limitExceeded, message)
  }
  return { from, to: Math.min(to, chain.head.number) }
}

/** A block number may lie beyond the head; the range then ends at the head. */
export function boundary(chain: Chain, value: unknown): number {
  if (typeof value === 'string' && value.startsWith('0x')) return parseCount(value, 'block number')
  const ref = findBlockRef(chain, value)
  return ref === undefined || ref === 'pending' ? chain.head.number : ref.number
}

/** The matching events of a range, in the order in which they happened. */
export function queryLogs(chain: Chain, query: LogQuery, range: LogRange): unknown[] {
  const found: unknown[] = []
  for (const number of candidateBlocks(chain, query, range)) {
    const stored = chain.findBlock(number)!
    for (const [position, receipt] of stored.receipts.entries()) {
      if (!receipt.logs.some((log) => matchesLog(query, log))) continue
      const formatted = formatLogs(stored, position)
      for (const [index, log] of receipt.logs.entries()) if (matchesLog(query, log)) found.push(formatted[index])
    }
    if (found.length > MAX_LOG_RESULTS) {
      const message = `query returned more than ${MAX_LOG_RESULTS} results: ask for a smaller block range`
      throw new RpcError(RPC_CODES.limitExceeded, message)
    }
  }
  return found
}

/** Blocks that stand under one key of every condition, ascending. */
function candidateBlocks(chain: Chain, query: LogQuery, { from, to }: LogRange): number[] {
  let candidates: Set<number> | undefined
  for (const keys of queryKeys(query)) {
    const found = new Set(keys.flatMap((key) => chain.listLogBlocks(key, from, to)))
    candidates = candidates === undefined ? found : candidates.intersection(found)
    if (candidates.size === 0) return []
  }
  return [...(candidates ?? [])].sort((a, b) => a - b)
}
