import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { type QuotaInfo, quotaVoucherDigest, ReceiptTimeout } from '@memo/chain'
import { type Address, createKeySigner, findAddress, type IndexStore } from '@memo/core'
import { createMemoryIndexStore } from '@memo/core/testing'
import { createSystemRandomness, createSystemTimers } from '@memo/platform'
import { createCashier, DEFAULT_CASH_POLICY } from '../src/quota/cashier.ts'
import type { Market } from '../src/quota/market.ts'
import { createQuota } from '../src/quota/quota.ts'
import { createBuyer } from './support/buyer.ts'
import { cidOf, queryOf } from './support/caller.ts'
import { startReadyGateway, until } from './support/gateway.ts'
import { startNetwork, testKey } from './support/network.ts'
import { fresh } from './support/objects.ts'

const BUYER = createKeySigner(testKey(910))
const SELLER: Address = createKeySigner(testKey(911)).address
const PAY = findAddress(`0x${'33'.repeat(20)}`)!
const CHAIN_ID = 985
const NOW_MS = 1_800_000_000_000
const LIMITS = { trialSpaceBytes: 0, trialTrafficBytes: 0 }
const refuse = async (): Promise<never> => {
  throw new RangeError('nobody asks for this here')
}

async function voucher(size: bigint, nonce: bigint) {
  const fields = { buyer: BUYER.address, seller: SELLER, nonce, sizeByte: size }
  const digest = quotaVoucherDigest({ chainId: CHAIN_ID, verifyingContract: PAY }, fields)
  return { size, signature: await BUYER.signDigest(digest) }
}

/** A gateway's till in front of a chain that takes transactions and answers nobody. */
async function createTill(changes: Partial<QuotaInfo> = {}) {
  const info: { -readonly [K in keyof QuotaInfo]: QuotaInfo[K] } = {
    nonce: 0n,
    balanceAtto: 0n,
    sizeByte: 10_000n,
    freeByte: 0n,
    expire: 2_000_000_000n,
    ...changes,
  }
  const chain = {
    nextId: 1,
    block: 100,
    gasPriceWei: 0n,
    isSilent: true,
    nowMs: NOW_MS,
    ended: new Set<bigint>(),
    isForgetful: false,
  }
  const sent: bigint[] = []
  const market: Market = {
    chainId: CHAIN_ID,
    account: SELLER,
    payAddressOf: () => PAY,
    seller: async () => SELLER,
    quotaOf: async () => ({ ...info }),
    cash: async (_, { sizeByte, nonce }) => {
      sent.push(sizeByte)
      const hash = `0x${'ab'.repeat(32)}` as const
      if (chain.isSilent) throw new ReceiptTimeout(hash, 1_000)
      assert.equal(nonce, info.nonce, 'the chain takes each nonce once')
      info.nonce += 1n
      info.sizeByte -= sizeByte
      return hash
    },
    priceOf: refuse,
    allowanceOf: refuse,
    balanceOf: refuse,
    isGranter: refuse,
    blockNumber: async () => chain.block,
    timeAt: async () => 0n,
    gasPriceWei: async () => chain.gasPriceWei,
    preparePurchase: refuse,
    prepareApproval: refuse,
    endOf: async (_, __, nonce) => {
      if (chain.isForgetful) throw new TypeError('the chain shows no events now')
      return chain.ended.has(nonce) ? 'ended' : 'cashed'
    },
    grant: refuse,
    grantsOf: refuse,
    receiptOf: refuse,
  }
  const nowMs = () => chain.nowMs
  const store = createMemoryIndexStore()
  const open = async () => {
    const quota = await createQuota({ store, market, random: createSystemRandomness(), nowMs, limits: LIMITS })
    const cashier = createCashier({
      ...quota,
      timers: createSystemTimers(),
      nowMs,
      policy: { ...DEFAULT_CASH_POLICY, cashBytes: 1_000, cashDepthBlocks: 10 },
      mayCash: () => true,
      log: () => undefined,
    })
    return { quota, cashier }
  }
  const { quota, cashier } = await open()
  /** Whether so many bytes may be stored. */
  const mayStore = async (bytes: number, size?: bigint) => {
    const given = size === undefined ? undefined : await voucher(size, info.nonce)
    const upload = await quota.beginUpload(BUYER.address, given, bytes)
    upload.release()
  }
  /** Stores so many bytes. */
  const storeBytes = async (bytes: number, size: bigint) => {
    const upload = await quota.beginUpload(BUYER.address, await voucher(size, info.nonce), bytes)
    for await (const chunk of upload.watch(bodyOf(bytes))) assert.ok(chunk)
    await upload.count(chain.nextId)
    await upload.settle(chain.nextId++)
    upload.release()
  }
  return { info, sent, chain, cashier, mayStore, storeBytes, open }
}

async function* bodyOf(bytes: number): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(bytes)
}

describe('while nobody knows whether a voucher was cashed', () => {
  test('a larger one is not taken: what the chain then pays is what counts', async () => {
    const { info, sent, cashier, mayStore } = await createTill()
    await mayStore(1_000, 1_000n)
    await assert.rejects(cashier.cash('space', BUYER.address), { name: 'ReceiptTimeout' })
    await assert.rejects(mayStore(9_000, 9_000n), /is being cashed/)
    await mayStore(1_000)
    await assert.rejects(cashier.cash('space', BUYER.address), { name: 'ReceiptTimeout' })
    assert.deepEqual(sent, [1_000n, 1_000n])
    info.nonce = 1n
    info.sizeByte = 9_000n
    await assert.rejects(mayStore(1_001), /1 bytes of space are missing/)
    await mayStore(1_000)
    await mayStore(9_000, 8_000n)
  })
})

describe('a quota that ended while a voucher of it was being cashed', () => {
  test('has paid for nothing of it, also where another one was bought before anybody looked', async () => {
    const { info, chain, cashier, mayStore, storeBytes } = await createTill()
    await storeBytes(1_000, 5_000n)
    await assert.rejects(cashier.cash('space', BUYER.address), { name: 'ReceiptTimeout' })
    chain.ended.add(0n)
    Object.assign(info, { nonce: 1n, sizeByte: 10_000n, expire: 2_100_000_000n })
    await assert.rejects(mayStore(1), /1 bytes of space are missing/)
    await mayStore(10_000, 10_000n)
  })

  test('is not judged where the chain does not tell how it ended: nothing is credited, and nothing lost', async () => {
    const { info, chain, cashier, mayStore, storeBytes } = await createTill()
    await storeBytes(1_000, 5_000n)
    await assert.rejects(cashier.cash('space', BUYER.address), { name: 'ReceiptTimeout' })
    Object.assign(info, { nonce: 1n, sizeByte: 5_000n })
    chain.isForgetful = true
    await assert.rejects(mayStore(1), /no events now/)
    chain.isForgetful = false
    await mayStore(4_000)
    await assert.rejects(mayStore(4_001), /1 bytes of space are missing/)
  })
})

describe('a voucher that was cashed', () => {
  const signal = new AbortController().signal

  test('is presented again when the chain drops that, also over a restart, until it lies deep', async () => {
    const till = await createTill()
    const { info, sent, chain, cashier, storeBytes } = till
    chain.isSilent = false
    const drop = () => Object.assign(info, { nonce: info.nonce - 1n, sizeByte: info.sizeByte + 1_500n })
    await storeBytes(1_000, 1_500n)
    await cashier.cashDue(signal)
    assert.deepEqual(sent, [1_500n])
    await cashier.cashDue(signal)
    drop()
    await cashier.cashDue(signal)
    assert.deepEqual(sent, [1_500n, 1_500n])
    assert.equal(info.nonce, 1n)
    drop()
    const restarted = (await till.open()).cashier
    await restarted.cashDue(signal)
    assert.deepEqual([sent.length, info.nonce], [3, 1n])
    await restarted.cashDue(signal)
    chain.block += 10
    await restarted.cashDue(signal)
    drop()
    await restarted.cashDue(signal)
    assert.equal(sent.length, 3, 'what lies deep is forgotten')
  })

  test('goes before the next one of its buyer, where both were dropped', async () => {
    const { info, sent, chain, cashier, storeBytes } = await createTill()
    chain.isSilent = false
    await storeBytes(1_000, 1_000n)
    await cashier.cashDue(signal)
    await storeBytes(2_000, 2_000n)
    await cashier.cashDue(signal)
    Object.assign(info, { nonce: 0n, sizeByte: 10_000n })
    await cashier.cashDue(signal)
    assert.deepEqual(sent, [1_000n, 2_000n, 1_000n, 2_000n])
    assert.deepEqual([info.nonce, info.sizeByte], [2n, 7_000n])
  })

  test('after an answer that was lost is kept likewise', async () => {
    const { info, sent, chain, cashier, storeBytes } = await createTill()
    await storeBytes(1_000, 1_000n)
    await cashier.cashDue(signal)
    Object.assign(info, { nonce: 1n, sizeByte: 9_000n })
    await cashier.cashDue(signal)
    assert.deepEqual(sent, [1_000n])
    Object.assign(info, { nonce: 0n, sizeByte: 10_000n })
    chain.isSilent = false
    await cashier.cashDue(signal)
    assert.deepEqual([sent, info.nonce], [[1_000n, 1_000n], 1n])
  })
})

describe('a voucher that brings less than its gas', () => {
  const signal = new AbortController().signal
  const gas = 110_000n

  test('waits until it is worth that several times, and in its last day once; granted bytes bring nothing', async () => {
    // A byte brings 100 attomemo, the first thousand nothing.
    const quota = { balanceAtto: 900_000n * 100n, sizeByte: 900_000n, freeByte: 1_000n, expire: 1_810_000_000n }
    const { sent, chain, cashier, storeBytes } = await createTill(quota)
    Object.assign(chain, { isSilent: false, gasPriceWei: 1n })
    const enough = 1_000n + (4n * gas) / 100n
    await storeBytes(Number(enough) - 1, enough - 1n)
    await cashier.cashDue(signal)
    assert.deepEqual(sent, [])
    await storeBytes(1, enough)
    await cashier.cashDue(signal)
    assert.deepEqual(sent, [], 'it is not asked about every minute')
    chain.nowMs += 3_600_000
    await cashier.cashDue(signal)
    assert.deepEqual(sent, [enough])
    chain.nowMs = 1_810_000_000_000 - 3_600_000
    await storeBytes(1_099, 1_099n)
    await cashier.cashDue(signal)
    assert.equal(sent.length, 1, 'not at a loss')
    await storeBytes(1, 1_100n)
    chain.nowMs += 3_599_000
    chain.gasPriceWei = 0n
    await cashier.cashDue(signal)
    assert.equal(sent.length, 1)
    chain.nowMs += 1_000
    await cashier.cashDue(signal)
    assert.deepEqual(sent, [enough, 1_100n])
  })

  test('is cashed when an admin asks', async () => {
    const { sent, chain, cashier, storeBytes } = await createTill()
    Object.assign(chain, { isSilent: false, gasPriceWei: 1n })
    await storeBytes(1_000, 1_000n)
    await cashier.cashDue(signal)
    assert.deepEqual(sent, [])
    await cashier.cash('space', BUYER.address)
    assert.deepEqual(sent, [1_000n])
  })
})

describe('a download whose client is gone', () => {
  test('before its bytes were counted costs nothing', async () => {
    const network = await startNetwork()
    const memory = createMemoryIndexStore()
    const [counting, mayCount, counted] = [0, 1, 2].map(() => Promise.withResolvers<void>())
    let isWatched = false
    const store: IndexStore = {
      ...memory,
      async apply(changes) {
        const isCount = isWatched && changes.some(({ key }) => key.startsWith('quota/'))
        if (isCount) {
          isWatched = false
          counting?.resolve()
          await mayCount?.promise
        }
        await memory.apply(changes)
        if (isCount) counted?.resolve()
      },
    }
    const quota = { trialSpaceBytes: 1e6, trialTrafficBytes: 1e6, cashPollMs: 60_000 }
    const gateway = await startReadyGateway(network, { store, quota })
    try {
      const buyer = await createBuyer(network, gateway)
      const content = fresh(1_000)
      assert.equal((await buyer.upload(content)).status, 200)
      const { hostname, port } = new URL(gateway.url)
      const path = `/mefs/${cidOf(content)}?${queryOf(await buyer.caller.sign())}`
      const socket = connect(Number(port), hostname)
      await once(socket, 'connect')
      isWatched = true
      socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
      await counting?.promise
      socket.destroy()
      await setTimeout(1_000) // by now the gateway has seen it go
      mayCount?.resolve()
      await counted?.promise
      const readTrial = async () => JSON.parse(await buyer.ask('/mefs/traffic')) as { readonly TrialUsed: number }
      await until('the bytes are given back', async () => (await readTrial()).TrialUsed === 0)
    } finally {
      await gateway.close()
      await network.close()
    }
  })
})
