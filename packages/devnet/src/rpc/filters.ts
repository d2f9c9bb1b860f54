import { randomBytes } from 'node:crypto'
import type { Chain } from '../chain.ts'
import { hexFromBytes } from '../hex.ts'
import type { LogQuery } from '../log-index.ts'
import { LruMap } from '../lru.ts'
import type { RpcMethod } from './context.ts'
import { invalidParams, serverError } from './errors.ts'
import { boundary, filterObject, MAX_LOG_RANGE, parseQuery, queryLogs } from './logs.ts'
import { isObject } from './params.ts'

/** Filters that are kept; the one asked for least recently goes first. */
const MAX_FILTERS = 1_000

const FILTER_ID_BYTES = 16

type BlockFilter = { readonly kind: 'blocks'; next: number }
type LogFilter = {
  readonly kind: 'logs'
  readonly query: LogQuery
  readonly from: number
  readonly to: number
  next: number
}

/** What callers wait for. Filters are in memory: after a restart a caller makes a new one. */
export class Filters {
  readonly #filters: LruMap<string, BlockFilter | LogFilter> = new LruMap(MAX_FILTERS)

  add(filter: BlockFilter | LogFilter): string {
    const id = hexFromBytes(randomBytes(FILTER_ID_BYTES))
    this.#filters.set(id, filter)
    return id
  }

  get(id: unknown): BlockFilter | LogFilter {
    const filter = typeof id === 'string' ? this.#filters.get(id) : undefined
    if (filter === undefined) throw serverError('filter not found')
    return filter
  }

  remove(id: unknown): boolean {
    return typeof id === 'string' && this.#filters.delete(id)
  }
}

/** Methods that poll. */
export const filterMethods: Readonly<Record<string, RpcMethod>> = {
  eth_newBlockFilter: ({ chain, filters }) => filters.add({ kind: 'blocks', next: chain.head.number + 1 }),

  eth_newFilter: ({ chain, filters }, [value]) => {
    const fields = filterObject(value)
    if (fields.blockHash !== undefined) throw invalidParams('a filter of one block has no changes: use eth_getLogs')
    const from = boundary(chain, fields.fromBlock)
    const to = isOpenEnded(fields.toBlock) ? Number.MAX_SAFE_INTEGER : boundary(chain, fields.toBlock)
    if (from > to) throw invalidParams('invalid block range params')
    const next = Math.max(chain.head.number + 1, from)
    return filters.add({ kind: 'logs', query: parseQuery(fields), from, to, next })
  },

  eth_getFilterChanges: ({ chain, filters }, [id]) => {
    const filter = filters.get(id)
    return filter.kind === 'blocks' ? newBlocks(chain, filter) : newLogs(chain, filter)
  },

  eth_getFilterLogs: ({ chain, filters }, [id]) => {
    const filter = filters.get(id)
    if (filter.kind !== 'logs') throw serverError('filter not found')
    return queryLogs(chain, filter.query, { from: filter.from, to: Math.min(filter.to, chain.head.number) })
  },

  eth_uninstallFilter: ({ filters }, [id]) => filters.remove(id),
}

/** A caller that stayed away for long gets the first part now and the rest with its next calls. */
function newBlocks(chain: Chain, filter: BlockFilter): string[] {
  const until = Math.min(chain.head.number, filter.next + MAX_LOG_RANGE - 1)
  const hashes: string[] = []
  for (; filter.next <= until; filter.next += 1) hashes.push(chain.getBlockHash(filter.next))
  return hashes
}

function newLogs(chain: Chain, filter: LogFilter): unknown[] {
  const to = Math.min(chain.head.number, filter.to, filter.next + MAX_LOG_RANGE - 1)
  if (to < filter.next) return []
  const logs = queryLogs(chain, filter.query, { from: filter.next, to })
  filter.next = to + 1
  return logs
}

function isOpenEnded(toBlock: unknown): boolean {
  return (
    toBlock === undefined ||
    toBlock === null ||
    (typeof toBlock === 'string' && !toBlock.startsWith('0x')) ||
    isObject(toBlock)
  )
}
