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
import { startReadyGateway } from './support/gateway.ts'
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
async function createTill() {
  const info: { -readonly [K in keyof QuotaInfo]: QuotaInfo[K] } = {
    nonce: 0n,
    balanceAtto: 0n,
    sizeByte: 10_000n,
    freeByte: 0n,
    expire: 2_000_000_000n,
  }
  const sent: bigint[] = []
  const market: Market = {
    chainId: CHAIN_ID,
    account: SELLER,
    payAddressOf: () => PAY,
    seller: async () => SELLER,
    quotaOf: async () => ({ ...info }),
    cash: async (_, { sizeByte }) => {
      sent.push(sizeByte)
      throw new ReceiptTimeout(`0x${'ab'.repeat(32)}`, 1_000)
    },
    priceOf: refuse,
    allowanceOf: refuse,
    balanceOf: refuse,
    isGranter: refuse,
    preparePurchase: refuse,
    prepareApproval: refuse,
    grant: refuse,
    grantsOf: refuse,
    receiptOf: refuse,
  }
  const nowMs = () => NOW_MS
  const store = createMemoryIndexStore()
  const quota = await createQuota({ store, market, random: createSystemRandomness(), nowMs, limits: LIMITS })
  const cashier = createCashier({
    ...quota,
    timers: createSystemTimers(),
    nowMs,
    policy: DEFAULT_CASH_POLICY,
    mayCash: () => true,
    log: () => undefined,
  })
  /** Whether so many bytes may be stored. */
  const mayStore = async (bytes: number, size?: bigint) => {
    const given = size === undefined ? undefined : await voucher(size, info.nonce)
    const upload = await quota.beginUpload(BUYER.address, given, bytes)
    upload.release()
  }
  return { info, sent, cashier, mayStore }
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

describe('a download whose client is gone', () => {
  test('before its bytes were counted costs nothing', async () => {
    const network = await startNetwork()
    const memory = createMemoryIndexStore()
    let delayMs = 0
    const store: IndexStore = {
      ...memory,
      async apply(changes) {
        await setTimeout(delayMs)
        await memory.apply(changes)
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
      delayMs = 300
      socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
      await setTimeout(450) // its number is used up by now, and its bytes are being counted
      socket.destroy()
      await setTimeout(1_000)
      delayMs = 0
      const { TrialUsed } = JSON.parse(await buyer.ask('/mefs/traffic')) as { readonly TrialUsed: number }
      assert.equal(TrialUsed, 0)
    } finally {
      await gateway.close()
      await network.close()
    }
  })
})
