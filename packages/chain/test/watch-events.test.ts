import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { memoTokenAbi } from '@memo/contracts'
import { type AbiEvent, decodeEventLog } from 'viem'
import { MAX_REWIND_BLOCKS } from '../src/events/watch-events.ts'
import {
  type Addresses,
  devnetParams,
  RewindTooDeep,
  runDeploy,
  transferMemo,
  type WatchEventsOptions,
  watchEvents,
} from '../src/index.ts'
import { clientOf, deployer, startChain, type TestChain, testAccount } from './support/network.ts'

const transfers = memoTokenAbi.filter((item) => item.type === 'event' && item.name === 'Transfer') as AbiEvent[]
const to = testAccount(1).address

/** A chain that can be exchanged for another: what a reader sees of a rewind. */
function exchangeable(first: TestChain): Pick<TestChain, 'request'> & { current: Pick<TestChain, 'request'> } {
  return {
    current: first,
    request(call) {
      return this.current.request(call)
    },
  }
}

async function deployed(
  context: TestContext,
  genesisTimestamp: number,
): Promise<{ devnet: TestChain; addresses: Addresses }> {
  const devnet = await startChain({ genesisTimestamp })
  context.after(() => devnet.close())
  const { addresses } = await runDeploy(clientOf(devnet, deployer), { params: devnetParams })
  return { devnet, addresses }
}

/** Reads `count` events as amounts; what is taken back is negative. */
async function take(
  events: AsyncGenerator<{
    log: { data: `0x${string}`; topics: [] | [`0x${string}`, ...`0x${string}`[]] }
    removed: boolean
  }>,
  count: number,
): Promise<bigint[]> {
  const amounts: bigint[] = []
  while (amounts.length < count) {
    const { value, done } = await events.next()
    if (done === true) break
    const { args } = decodeEventLog({ abi: transfers, data: value.log.data, topics: value.log.topics })
    const { value: amount } = args as unknown as { value: bigint }
    amounts.push(value.removed ? -amount : amount)
  }
  return amounts
}

test('logs of a dropped block are taken back, newest first, before the new ones come', async (context) => {
  const genesisTimestamp = 1_700_000_000
  const old = await deployed(context, genesisTimestamp)
  const { addresses } = old
  const chain = exchangeable(old.devnet)
  const send = (devnet: TestChain, amountAtto: bigint): Promise<unknown> =>
    transferMemo(clientOf(devnet, deployer), { addresses, to, amountAtto })
  const events = watch(chain, { addresses })
  assert.deepEqual(await take(events, 1), [devnetParams.supplyAtto], 'the mint')
  await send(old.devnet, 1n)
  assert.deepEqual(await take(events, 1), [1n])
  await send(old.devnet, 2n)
  assert.deepEqual(await take(events, 1), [2n])
  const fresh = await deployed(context, genesisTimestamp + 10)
  await send(fresh.devnet, 1n)
  await send(fresh.devnet, 3n)
  chain.current = fresh.devnet
  assert.deepEqual(await take(events, 6), [-2n, -1n, -devnetParams.supplyAtto, devnetParams.supplyAtto, 1n, 3n])
  await events.return()
})

test('a log is given out only under its confirmations', async (context) => {
  const { devnet, addresses } = await deployed(context, 1_700_000_000)
  const stop = new AbortController()
  const events = watch(devnet, { addresses, confirmations: 2, signal: stop.signal })
  assert.deepEqual(await take(events, 1), [devnetParams.supplyAtto])
  await transferMemo(clientOf(devnet, deployer), { addresses, to, amountAtto: 5n })
  let given = false
  const next = take(events, 1).then((amounts) => {
    given = true
    return amounts
  })
  await devnet.mine(1)
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(given, false, 'one block is not two')
  await devnet.mine(1)
  assert.deepEqual(await next, [5n])
  stop.abort()
  assert.equal((await events.next()).done, true, 'an abort ends it without an error')
})

test('a chain that does not answer for a while is waited for', async (context) => {
  const { devnet, addresses } = await deployed(context, 1_700_000_000)
  let troubles = 0
  let down = true
  const flaky = {
    request: async (call: { method: string; params?: unknown }) => {
      if (down) throw new TypeError('connection refused')
      return devnet.request(call)
    },
  }
  const onTrouble = (): void => {
    troubles += 1
    down = troubles < 3
  }
  const events = watch(flaky, { addresses, onTrouble })
  assert.deepEqual(await take(events, 1), [devnetParams.supplyAtto])
  assert.equal(troubles, 3)
  await events.return()
})

test('a rewind below what is remembered is an error, not a gap', async (context) => {
  const old = await deployed(context, 1_700_000_000)
  const { addresses } = old
  const chain = exchangeable(old.devnet)
  await old.devnet.mine(1)
  const events = watch(chain, { addresses })
  await take(events, 1)
  // The first stretch is forgotten once enough blocks stand above it.
  await old.devnet.mine(Number(MAX_REWIND_BLOCKS) + 1)
  await transferMemo(clientOf(old.devnet, deployer), { addresses, to, amountAtto: 1n })
  await take(events, 1)
  const fresh = await deployed(context, 1_700_000_010)
  chain.current = fresh.devnet
  await assert.rejects(take(events, 2), RewindTooDeep)
})

function watch(
  provider: Pick<TestChain, 'request'>,
  { addresses, ...options }: Partial<WatchEventsOptions> & { addresses: Addresses },
): ReturnType<typeof watchEvents> {
  const address = addresses.memoToken
  return watchEvents(clientOf(provider), { address, events: transfers, fromBlock: 0n, ...options })
}
