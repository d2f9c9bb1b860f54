import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { memoTokenAbi } from '@memo/contracts'
import type { Address } from '@memo/core'
import { numberToHex } from 'viem'
import { readEvents } from '../src/events/read-events.ts'
import { type Addresses, devnetParams, runDeploy, transferMemo } from '../src/index.ts'
import { clientOf, deployer, startChain, type TestChain, testAccount } from './support/network.ts'

type Range = { readonly from: number; readonly to: number }
type Call = { readonly method: string; readonly params?: unknown }

const [to, other] = [testAccount(1).address, testAccount(2).address]
/** Blocks that the server has for each of the chain: it is long without being mined. */
const STRETCH = 1_000
const WANTED = [1n, 2n, 3n]
let devnet: TestChain
let addresses: Addresses

before(async () => {
  devnet = await startChain({})
  const client = clientOf(devnet, deployer)
  addresses = (await runDeploy(client, { params: devnetParams })).addresses
  for (const amountAtto of WANTED) {
    await transferMemo(client, { addresses, to, amountAtto })
    await transferMemo(client, { addresses, to: other, amountAtto: amountAtto + 10n })
  }
})
after(async () => await devnet.close())

/** A server that is asked for logs; `judge` throws, or says how it answers. */
async function read(
  judge: (range: Range) => 'true' | 'unfiltered',
  fault: { readonly code?: number } = { code: -32_000 },
): Promise<{ readonly amounts: bigint[]; readonly ranges: Range[] }> {
  const ranges: Range[] = []
  const server = {
    async request(call: Call) {
      if (call.method === 'eth_blockNumber') return numberToHex(Number(await devnet.request(call)) * STRETCH)
      if (call.method !== 'eth_getLogs') return await devnet.request(call)
      const [filter] = call.params as [{ topics: unknown[]; fromBlock: string; toBlock: string }]
      const range = { from: Number(filter.fromBlock), to: Number(filter.toBlock) }
      ranges.push(range)
      let answer: 'true' | 'unfiltered'
      try {
        answer = judge(range)
      } catch (error) {
        throw Object.assign(error as Error, fault)
      }
      return await logsOf({ ...filter, topics: answer === 'true' ? filter.topics : [] }, range)
    },
  }
  const contract = { address: addresses.memoToken, abi: memoTokenAbi, names: ['Transfer'] } as const
  const amounts: bigint[] = []
  for await (const { args } of readEvents(clientOf(server), { ...contract, args: { to } })) amounts.push(args.value)
  return { amounts, ranges }
}

async function logsOf(filter: object, { from, to }: Range): Promise<unknown[]> {
  const [first, last] = [Math.ceil(from / STRETCH), Math.floor(to / STRETCH)]
  if (first > last) return []
  const range = { fromBlock: numberToHex(first), toBlock: numberToHex(last) }
  const logs = await devnet.request({ method: 'eth_getLogs', params: [{ ...filter, ...range }] })
  return (logs as { blockNumber: string }[]).map((log) => ({
    ...log,
    blockNumber: numberToHex(Number(log.blockNumber) * STRETCH),
  }))
}

const spans = (ranges: readonly Range[]) => ranges.map(({ from, to }) => to - from + 1)
const atMost = (blocks: number) => (range: Range) => {
  if (range.to - range.from >= blocks) throw new RangeError('too many blocks')
  return 'true' as const
}

describe('events of a contract', () => {
  test('are read in order, in ranges that grow while the server takes them', async () => {
    const { amounts, ranges } = await read(() => 'true')
    assert.deepEqual(amounts, WANTED)
    assert.deepEqual(spans(ranges).slice(0, 2), [5_000, 10_000])
    assert.equal(ranges.at(-1)?.to, Number(await devnet.request({ method: 'eth_blockNumber' })) * STRETCH)
    assert.ok(ranges.length <= 5, `${spans(ranges)}`)
  })

  test('are read whole from servers that take few blocks at once, each block once', async () => {
    for (const blocks of [1_000, 1_500, 5_000, 7_000]) {
      const { amounts, ranges } = await read(atMost(blocks))
      assert.deepEqual(amounts, WANTED, `${blocks}`)
      const taken = ranges.filter(({ from, to }) => to - from < blocks)
      for (const [index, { from }] of taken.entries()) assert.equal(from, index === 0 ? 0 : taken[index - 1]!.to + 1)
    }
  })

  test('are not asked for without end of a server that takes nothing, or is not there', async () => {
    await assert.rejects(read(atMost(500)), { name: 'RpcRefused', blame: 'chain' })
    const gone = (_range: Range): never => {
      throw new TypeError('fetch failed')
    }
    await assert.rejects(read(gone, {}), { name: 'RpcUnreachable' })
  })

  test('are asked for in smaller ranges where a large one breaks the connection', async () => {
    const { amounts, ranges } = await read(atMost(5_000), {})
    assert.deepEqual(amounts, WANTED)
    assert.deepEqual(spans(ranges).slice(0, 3), [5_000, 10_000, 5_000])
  })

  test('are those that were asked for, whatever else a server gives', async () => {
    assert.deepEqual((await read(() => 'unfiltered')).amounts, WANTED)
  })
})

test('an argument may be any of several', async () => {
  const contract = { address: addresses.memoToken, abi: memoTokenAbi, names: ['Transfer'] } as const
  const seen: Address[] = []
  for await (const { args } of readEvents(clientOf(devnet), { ...contract, args: { to: [to, other] } })) {
    seen.push(args.to)
  }
  assert.equal(seen.length, 2 * WANTED.length)
})
