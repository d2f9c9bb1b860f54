import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { getMemoBalance, getQuota } from '@memo/chain'
import { findBytesFromHex, hexFromBytes, keccak256 } from '@memo/core'
import { PaymentUnderWayError } from '../src/errors.ts'
import { LOCAL_USER_ATTO } from '../src/local-chain.ts'
import { buy } from '../src/money/buy.ts'
import { unstick } from '../src/money/unstick.ts'
import { createIdentity } from '../src/user/identity.ts'
import { startNetwork, type TestNetwork } from './support/local-network.ts'
import { createTestContext } from './support/test-context.ts'
import { startEndpoint, type Trick, type TrickyEndpoint } from './support/tricky-endpoint.ts'

const GIB = 2n ** 30n
const COST = 60_000_000_000n * GIB
const LAG_MS = 1_000
const home = mkdtempSync(join(tmpdir(), 'memo-doubts-'))
let network: TestNetwork
let count = 0

before(async () => {
  network = await startNetwork()
})
after(async () => {
  await network?.close()
  rmSync(home, { recursive: true, force: true })
})

const isSending = (method: string) => method === 'eth_sendRawTransaction'
const hashOf = (raw: unknown) => hexFromBytes(keccak256(findBytesFromHex(raw) as Uint8Array))
const lookups = ['eth_getTransactionReceipt', 'eth_getTransactionByHash']

/** Somebody new, whose purchase of 1 GiB is interrupted once it was sent. */
async function interruptPurchase(endpoint: TrickyEndpoint, trick: (sent: { raw?: unknown }) => Trick) {
  const data = join(home, `user-${++count}`)
  const { signal } = new AbortController()
  const identity = await createIdentity({ dataDir: data, rpcUrl: endpoint.url, registry: network.registry, signal })
  const { client, addresses } = identity.chain
  const { address } = identity.signer
  const sent: { raw?: unknown } = {}
  endpoint.play(trick(sent))
  const interrupted = createTestContext()
  const buying = buy(interrupted.context, { data, yes: true }, ['space', '1GiB'])
  while (sent.raw === undefined) await sleep(5)
  interrupted.interrupt()
  await assert.rejects(buying)
  return { data, client, addresses, address, sent }
}

/** A purchase of 1 GiB that is interrupted under `first`, then asked for again under `then`. */
async function buyTwice(first: (sent: { raw?: unknown }) => Trick, then: (raw: unknown) => Trick) {
  const endpoint = await startEndpoint(network.devnet)
  try {
    const { data, client, addresses, address, sent } = await interruptPurchase(endpoint, first)
    endpoint.play(then(sent.raw))
    const again = createTestContext()
    const error = await buy(again.context, { data, yes: true }, ['space', '1GiB']).then(
      () => undefined,
      (thrown: Error) => thrown,
    )
    endpoint.play(async () => 'pass')
    const last = createTestContext()
    if (error) await buy(last.context, { data, yes: true }, ['space', '1GiB'])
    const { sizeByte } = await getQuota(client, { addresses, kind: 'space', buyer: address })
    const paidAtto = LOCAL_USER_ATTO - (await getMemoBalance(client, { addresses, address }))
    const { isResumed } = (error ? last : again).last()
    return { sizeByte, paidAtto, isResumed, error: error?.name }
  } finally {
    await endpoint.close()
  }
}

/** Passes what is signed on, and tells nobody what became of it. */
const passing =
  (sent: { raw?: unknown }): Trick =>
  async (method, [raw]) => {
    if (method === lookups[0]) return { answer: { result: null } }
    if (isSending(method)) {
      await deliver(raw)
      sent.raw = raw
    }
    return isSending(method) ? { answer: { result: hashOf(raw) } } : 'pass'
  }
/** Says that it took what is signed, and keeps it back. */
const holding =
  (sent: { raw?: unknown }): Trick =>
  async (method, [raw]) => {
    if (!isSending(method)) return 'pass'
    sent.raw = raw
    return { answer: { result: hashOf(raw) } }
  }
/** Gives what is signed to the chain, whatever it says of that. */
const deliver = async (raw: unknown) =>
  await network.devnet.request({ method: 'eth_sendRawTransaction', params: [raw] }).catch(() => 'it is there')

describe('a purchase that was interrupted is paid once by the same command, at an endpoint', () => {
  for (const late of [[lookups[0]], lookups]) {
    test(`whose answers to ${late.join(' and ')} lag behind its counts`, async () => {
      const result = await buyTwice(passing, (raw) => {
        const startedMs = performance.now()
        return async (method, [hash]) => {
          const isHidden = late.includes(method) && hash === hashOf(raw) && performance.now() - startedMs < LAG_MS
          return isHidden ? { answer: { result: null } } : 'pass'
        }
      })
      assert.deepEqual(result, { sizeByte: GIB, paidAtto: COST, isResumed: true, error: undefined })
    })
  }

  test('that breaks off after it took what is handed in again', async () => {
    const result = await buyTwice(holding, (held) => async (method, [raw]) => {
      if (!isSending(method) || raw !== held) return 'pass'
      await deliver(raw)
      return 'break'
    })
    assert.deepEqual(result, { sizeByte: GIB, paidAtto: COST, isResumed: true, error: undefined })
  })

  test('that knows what is handed in again already', async () => {
    const result = await buyTwice(holding, (held) => async (method, [raw]) => {
      if (!isSending(method) || raw !== held) return 'pass'
      await deliver(raw)
      return { answer: { error: { code: -32_000, message: 'already known' } } }
    })
    assert.deepEqual(result, { sizeByte: GIB, paidAtto: COST, isResumed: true, error: undefined })
  })

  test('of which one machine has it and the others never heard of it: nothing goes under the next number', async () => {
    let sentMore = 0
    const result = await buyTwice(passing, (known) => async (method, params) => {
      if (isSending(method)) sentMore += 1
      if (lookups.includes(method) && params[0] === hashOf(known)) return { answer: { result: null } }
      if (method !== 'eth_getTransactionCount' || params[1] !== 'latest') return 'pass'
      const pending = await network.devnet.request({ method, params: [params[0], 'pending'] })
      return { answer: { result: `0x${(Number(pending) - 1).toString(16)}` } }
    })
    assert.deepEqual(result, { sizeByte: GIB, paidAtto: COST, isResumed: true, error: 'PaymentUnderWayError' })
    assert.equal(sentMore, 0)
  })
})

describe('a purchase whose transaction lies there and never lands', () => {
  /** Bought at an endpoint that shows it as waiting and gives it to nobody; `end` plays with what it held back. */
  async function stick(
    end: (stuck: {
      readonly data: string
      readonly raw: unknown
      readonly play: (trick: Trick) => void
      readonly lying: Trick
      readonly paidAtto: () => Promise<bigint>
    }) => Promise<void>,
  ) {
    const endpoint = await startEndpoint(network.devnet)
    try {
      const { data, client, addresses, address, sent } = await interruptPurchase(endpoint, holding)
      const lying: Trick = async (method, params) => {
        if (method === lookups[1] && params[0] === hashOf(sent.raw)) {
          return { answer: { result: { hash: params[0], blockHash: null } } }
        }
        if (method !== 'eth_getTransactionCount' || params[1] !== 'pending') return 'pass'
        const latest = Number(await network.devnet.request({ method, params: [params[0], 'latest'] }))
        return { answer: { result: `0x${(latest + 1).toString(16)}` } }
      }
      endpoint.play(lying)
      const paidAtto = async () => LOCAL_USER_ATTO - (await getMemoBalance(client, { addresses, address }))
      await end({ data, raw: sent.raw, play: endpoint.play, lying, paidAtto })
    } finally {
      await endpoint.close()
    }
  }

  test('is replaced by nothing for more than it offers, and the same is then bought once', async () => {
    await stick(async ({ data, raw, play, lying, paidAtto }) => {
      const shown = createTestContext()
      await unstick(shown.context, { data, dryRun: true }, [])
      assert.deepEqual([shown.last().dryRun, shown.last().verb], [true, 'buy space'])
      let refusals = 2
      play(async (method, params) => {
        if (!isSending(method) || refusals-- <= 0) return await lying(method, params)
        return { answer: { error: { code: -32_000, message: 'replacement transaction underpriced' } } }
      })
      const said = createTestContext()
      await unstick(said.context, { data, yes: true }, [])
      const { isEmptied, verb } = said.last()
      assert.deepEqual([isEmptied, verb, await paidAtto()], [true, 'buy space', 0n])
      play(async () => 'pass')
      await assert.rejects(network.devnet.request({ method: 'eth_sendRawTransaction', params: [raw] }), /nonce too low/)
      const again = createTestContext()
      await buy(again.context, { data, yes: true }, ['space', '1GiB'])
      assert.deepEqual([again.last().isResumed, await paidAtto()], [false, COST])
    })
  })

  test('that lands after all, while it is being replaced, is what counts, and is not paid again', async () => {
    await stick(async ({ data, raw, play, lying, paidAtto }) => {
      play(async (method, params) => {
        if (isSending(method)) {
          await deliver(raw)
          await network.devnet.mine(1)
        }
        return isSending(method) ? 'pass' : await lying(method, params)
      })
      const said = createTestContext()
      await unstick(said.context, { data, yes: true }, [])
      const { isEmptied, tx } = said.last()
      assert.deepEqual([isEmptied, tx, await paidAtto()], [false, hashOf(raw), COST])
      play(async () => 'pass')
      const again = createTestContext()
      await buy(again.context, { data, yes: true }, ['space', '1GiB'])
      assert.deepEqual([again.last().isResumed, await paidAtto()], [true, COST])
    })
  })

  test('is named with its nonce and the way out; a nonce that does not hold anything up is refused', async () => {
    const error = new PaymentUnderWayError('buy', { hash: '0x1', nonce: 7, firstNonce: 5 })
    assert.match(`${error.message} ${error.fix}`, /nonce 7 .* nonce 5 .* before it .*memo wallet unstick --nonce 5/)
    await stick(async ({ data, play }) => {
      await assert.rejects(unstick(createTestContext().context, { data, nonce: 0, yes: true }, []), {
        name: 'UsageError',
        message: /in a block already/,
      })
      await assert.rejects(unstick(createTestContext().context, { data, nonce: 99, yes: true }, []), {
        name: 'UsageError',
        fix: /Begin with/,
      })
      await unstick(createTestContext().context, { data, yes: true }, [])
      play(async () => 'pass')
      const said = createTestContext()
      await unstick(said.context, { data, yes: true }, [])
      assert.equal(said.last().nonce, null, 'nothing waits any more')
    })
  })
})
