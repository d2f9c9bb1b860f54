import { type Account, type Address, assert, type Chain, type Clock, type DidRecord, type EpochInfo } from '@memo/core'

/** Answers kept of each kind; the one longest unused goes first. */
const MAX_CACHED_ANSWERS = 10_000

/**
 * The same chain, asked at most once in `ttlMs` for each thing; questions that arrive together are asked as one. What
 * does not exist is not remembered, so that it is seen as soon as it does; nor is a failure. Orders and allowances are
 * always asked anew: who spends money on an answer knows best how old it may be.
 */
export function createCachedChain(chain: Chain, clock: Clock, ttlMs: number): Chain {
  assert(ttlMs > 0, 'a cache that keeps nothing')
  const account = cached<Address, Account | undefined>((address) => chain.findAccount(address), clock, ttlMs)
  const did = cached<string, DidRecord | undefined>((text) => chain.findDid(text), clock, ttlMs)
  const providers = cached<'', readonly Account[]>(() => chain.listProviders(), clock, ttlMs)
  const keepers = cached<'', readonly Account[]>(() => chain.listKeepers(), clock, ttlMs)
  const epochs = cached<'', EpochInfo>(() => chain.getEpochs(), clock, ttlMs)
  const liableBytes = cached<Address, bigint>((provider) => chain.getLiableBytes(provider), clock, ttlMs)
  const block = cached<'', Awaited<ReturnType<Chain['getBlock']>>>(() => chain.getBlock(), clock, ttlMs)
  return {
    network: chain.network,
    findAccount: account,
    findDid: did,
    listProviders: () => providers(''),
    listKeepers: () => keepers(''),
    getBlock: () => block(''),
    money: chain.money,
    findOrder: (orderId) => chain.findOrder(orderId),
    getEpochs: () => epochs(''),
    getLiableBytes: liableBytes,
    getReadAllowance: (orderId, payer) => chain.getReadAllowance(orderId, payer),
  }
}

type Answer<Value> = { readonly askedMs: number; readonly value: Promise<Value> }

function cached<Key, Value>(ask: (key: Key) => Promise<Value>, clock: Clock, ttlMs: number) {
  const answers = new Map<Key, Answer<Value>>()
  return async (key: Key): Promise<Value> => {
    const known = answers.get(key)
    const ageMs = clock.nowMs() - (known?.askedMs ?? 0)
    // The clock may jump back: an answer from the future is of no known age.
    if (known && ageMs >= 0 && ageMs < ttlMs) return await known.value
    const answer: Answer<Value> = { askedMs: clock.nowMs(), value: ask(key) }
    answers.delete(key) // and added again: the one longest unused comes first
    answers.set(key, answer)
    const forget = () => {
      if (answers.get(key) === answer) answers.delete(key)
    }
    answer.value.then((value) => value === undefined && forget(), forget)
    const [oldest] = answers.keys()
    if (answers.size > MAX_CACHED_ANSWERS && oldest !== undefined) answers.delete(oldest)
    return await answer.value
  }
}
