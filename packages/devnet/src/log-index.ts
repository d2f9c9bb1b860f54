import { bytesFromHex, type Hex } from './hex.ts'
import type { Log, Receipt } from './receipts.ts'

/** A topic is cut to this length in the index: a collision only costs the reading of one more block. */
const TOPIC_PREFIX_BYTES = 16

/** The key under which every block with any event stands. */
export const ANY_LOG: Uint8Array = new Uint8Array()

/** What a caller wants: no address means any; a position of `topics` that is undefined means any. */
export type LogQuery = {
  readonly addresses: readonly Hex[] | undefined
  readonly topics: readonly (readonly Hex[] | undefined)[]
}

/** The index key of an address. */
export function addressKey(address: Hex): Uint8Array {
  return bytesFromHex(address)
}

/** The index key of a topic at a position. */
export function topicKey(position: number, topic: Hex): Uint8Array {
  const key = new Uint8Array(1 + TOPIC_PREFIX_BYTES)
  key[0] = position
  key.set(bytesFromHex(topic).subarray(0, TOPIC_PREFIX_BYTES), 1)
  return key
}

/** Every key under which a block with these receipts is to be found. */
export function logKeys(receipts: readonly Receipt[]): Uint8Array[] {
  const keys = new Map<string, Uint8Array>()
  const add = (key: Uint8Array): void => {
    keys.set(Buffer.from(key).toString('latin1'), key)
  }
  for (const { logs } of receipts) {
    for (const log of logs) {
      add(ANY_LOG)
      add(addressKey(log.address))
      for (const [position, topic] of log.topics.entries()) add(topicKey(position, topic))
    }
  }
  return [...keys.values()]
}

/** The alternatives of each condition: a block is a candidate when it stands under one key of every set. */
export function queryKeys(query: LogQuery): Uint8Array[][] {
  const sets: Uint8Array[][] = []
  if (query.addresses !== undefined) sets.push(query.addresses.map(addressKey))
  for (const [position, topics] of query.topics.entries()) {
    if (topics !== undefined) sets.push(topics.map((topic) => topicKey(position, topic)))
  }
  return sets.length === 0 ? [[ANY_LOG]] : sets
}

/** Whether one event is wanted. */
export function matchesLog(query: LogQuery, log: Log): boolean {
  if (query.addresses !== undefined && !query.addresses.includes(log.address)) return false
  if (query.topics.length > log.topics.length) return false
  return query.topics.every((wanted, position) => {
    const topic = log.topics[position]
    return wanted === undefined || (topic !== undefined && wanted.includes(topic))
  })
}
