import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { QuotaInfo } from '@memo/chain'
import { quotaVoucherDigest } from '@memo/chain'
import { type Address, createKeySigner, findAddress, type Signer } from '@memo/core'
import { createMemoryDisk, InjectedFaultError } from '@memo/core/testing'
import { createSystemRandomness } from '@memo/platform'
import fc from 'fast-check'
import { paidRoom, usedUnderNonce, withNonce } from '../src/quota/account.ts'
import { openLedger } from '../src/quota/ledger.ts'
import type { Market } from '../src/quota/market.ts'
import { bigJson, findSize } from '../src/quota/numbers.ts'
import { createQuota, type Quota } from '../src/quota/quota.ts'
import { testKey } from './support/network.ts'

const BUYER: Signer = createKeySigner(testKey(900))
const SELLER: Address = createKeySigner(testKey(901)).address
const PAY = { space: findAddress(`0x${'11'.repeat(20)}`)!, traffic: findAddress(`0x${'22'.repeat(20)}`)! }
const NOW_MS = 1_800_000_000_000
const TRIAL = 100
const refuse = async (): Promise<never> => {
  throw new RangeError('nobody asks for this here')
}

/** A chain that says what it is told to; what is bought and cashed there is tested with the contracts. */
function scriptedMarket(info: Partial<QuotaInfo>): Market & { asked: number } {
  const market = {
    asked: 0,
    chainId: 985,
    account: SELLER,
    payAddressOf: (kind: 'space' | 'traffic') => PAY[kind],
    seller: async () => SELLER,
    quotaOf: async () => {
      market.asked += 1
      return { nonce: 0n, balanceAtto: 0n, sizeByte: 10_000n, freeByte: 0n, expire: 2_000_000_000n, ...info }
    },
    priceOf: refuse,
    allowanceOf: refuse,
    balanceOf: refuse,
    isGranter: refuse,
    blockNumber: refuse,
    timeAt: async () => BigInt(NOW_MS / 1_000),
    gasPriceWei: refuse,
    preparePurchase: refuse,
    prepareApproval: refuse,
    cash: refuse,
    endOf: async () => 'cashed' as const,
    grant: refuse,
    grantsOf: refuse,
    receiptOf: refuse,
  }
  return market
}

async function voucher(size: bigint, nonce = 0n) {
  const fields = { buyer: BUYER.address, seller: SELLER, nonce, sizeByte: size }
  const digest = quotaVoucherDigest({ chainId: 985, verifyingContract: PAY.space }, fields)
  return { size, signature: await BUYER.signDigest(digest) }
}

async function* bytesOf(length: number) {
  for (let at = 0; at < length; at += 10) yield new Uint8Array(Math.min(10, length - at))
}

async function drain(stream: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0
  for await (const bytes of stream) length += bytes.length
  return length
}

type World = { readonly open: () => Promise<Quota>; readonly objects: Set<number>; readonly market: { asked: number } }

function createWorld(info: Partial<QuotaInfo> = {}) {
  const disk = createMemoryDisk()
  const objects = new Set<number>()
  const market = scriptedMarket(info)
  const limits = { trialSpaceBytes: TRIAL, trialTrafficBytes: TRIAL }
  const random = createSystemRandomness()
  const open = async () =>
    await createQuota({ store: disk.openIndexStore(), market, random, nowMs: () => NOW_MS, limits })
  return { disk, objects, market, open }
}

/** An upload as the routes do it; `objects` is the table. */
async function upload(quota: Quota, { objects }: Pick<World, 'objects'>, id: number, length: number, size?: bigint) {
  const given = size === undefined ? undefined : await voucher(size)
  const upload = await quota.beginUpload(BUYER.address, given, 0)
  try {
    await drain(upload.watch(bytesOf(length)))
    await upload.count(id)
    objects.add(id)
    await upload.settle(id)
  } finally {
    upload.release()
  }
}

async function used(quota: Quota): Promise<number> {
  const { used: paid, trialUsed } = await quota.status(BUYER.address, 'space')
  return Number(paid + trialUsed)
}

describe('bytes that are counted', () => {
  test('are exactly those of the objects that are there, wherever an upload or a deletion crashes', async () => {
    // Every write and every sync in turn is the last thing that happens.
    let crashes = 0
    for (let step = 1; step < 60; step++) {
      const world = createWorld()
      const first = await world.open()
      await upload(first, world, 1, 80)
      await upload(first, world, 2, 70, 50n)
      let operations = 0
      world.disk.setFault((operation) => {
        if (operation === 'read') return undefined
        operations += 1
        return operations === step ? new InjectedFaultError('the power is cut') : undefined
      })
      let isCrashed = false
      const attempt = async (work: () => Promise<void>) => {
        if (isCrashed) return
        try {
          await work()
        } catch (thrown) {
          assert.ok(thrown instanceof InjectedFaultError, String(thrown))
          isCrashed = true
        }
      }
      await attempt(async () => await upload(first, world, 3, 60, 200n))
      await attempt(async () => {
        await first.beginDeletion(1)
        world.objects.delete(1)
        await first.endDeletion(1)
      })
      await attempt(async () => await upload(first, world, 4, 30))
      world.disk.setFault(undefined)
      world.disk.crash()
      if (isCrashed) crashes += 1
      const second = await world.open()
      await second.recover(async (id) => world.objects.has(id))
      const sizes: Record<number, number> = { 1: 80, 2: 70, 3: 60, 4: 30 }
      const expected = [...world.objects].reduce((sum, id) => sum + (sizes[id] ?? 0), 0)
      assert.equal(await used(second), expected, `step ${step}`)
      for (const id of world.objects) {
        await second.beginDeletion(id)
        await second.endDeletion(id)
        await second.endDeletion(id)
      }
      assert.equal(await used(second), 0, `step ${step}, after deleting all`)
    }
    assert.ok(crashes > 10)
  })

  test('of an entry that was handed over and failed come back, and count again when it turns up', async () => {
    for (const turnsUp of [true, false]) {
      const world = createWorld()
      const first = await world.open()
      const lost = await first.beginUpload(BUYER.address, undefined, 40)
      await drain(lost.watch(bytesOf(40)))
      await lost.count(7)
      await lost.fail(true)
      lost.release()
      assert.equal(await used(first), 0)
      const second = await world.open()
      await second.recover(async () => turnsUp)
      assert.equal(await used(second), turnsUp ? 40 : 0)
      await second.recover(async () => turnsUp)
      assert.equal(await used(second), turnsUp ? 40 : 0)
    }
  })

  test('of an upload that turns out to be an object that failed before are counted once', async () => {
    const world = createWorld()
    const quota = await world.open()
    const first = await quota.beginUpload(BUYER.address, undefined, 40)
    await drain(first.watch(bytesOf(40)))
    await first.count(7)
    await first.fail(true)
    first.release()
    const again = await quota.beginUpload(BUYER.address, undefined, 40)
    await drain(again.watch(bytesOf(40)))
    await again.count(8)
    await again.settle(7)
    again.release()
    assert.equal(await used(quota), 40)
    await quota.endDeletion(7)
    assert.equal(await used(quota), 0)
  })

  test('of a download that a crash ended are given back, and of one that ended early what was not sent', async () => {
    const world = createWorld()
    const first = await world.open()
    const early = await first.beginDownload(BUYER.address, undefined, 60)
    for await (const bytes of early.watch(bytesOf(60))) if (bytes.length > 0) break
    await early.end(true)
    assert.equal((await first.status(BUYER.address, 'traffic')).trialUsed, 10n)
    const broken = await first.beginDownload(BUYER.address, undefined, 60)
    await drain(broken.watch(bytesOf(20)))
    await broken.end(false)
    assert.equal((await first.status(BUYER.address, 'traffic')).trialUsed, 10n)
    await first.beginDownload(BUYER.address, undefined, 60)
    assert.equal((await first.status(BUYER.address, 'traffic')).trialUsed, 70n)
    world.disk.crash()
    const second = await world.open()
    await second.recover(async () => true)
    assert.equal((await second.status(BUYER.address, 'traffic')).trialUsed, 10n)
  })

  test('are never more than signed for, however uploads interleave', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ length: fc.integer({ min: 1, max: 120 }), size: fc.integer({ min: 0, max: 300 }) }), {
          minLength: 2,
          maxLength: 10,
        }),
        async (uploads) => {
          const world = createWorld()
          const quota = await world.open()
          const signed = Math.max(...uploads.map(({ size }) => size))
          await Promise.allSettled(
            uploads.map(async ({ length, size }, index) => {
              await upload(quota, world, index + 1, length, BigInt(size))
            }),
          )
          const { used: paid, trialUsed } = await quota.status(BUYER.address, 'space')
          const stored = [...world.objects].reduce((sum, id) => sum + (uploads[id - 1]?.length ?? 0), 0)
          assert.equal(Number(paid + trialUsed), stored)
          assert.ok(trialUsed <= BigInt(TRIAL) && paid <= BigInt(signed))
        },
      ),
      { numRuns: 60 },
    )
  })
})

describe('the chain', () => {
  test('is not asked for the trial, and not for a voucher that is there where it was asked a moment ago', async () => {
    const world = createWorld()
    const quota = await world.open()
    await upload(quota, world, 1, 90)
    assert.equal(world.market.asked, 0)
  })

  test('ends a quota: its voucher is void, and what it had cashed before stays paid', async () => {
    const info = { nonce: 0n, expire: BigInt(NOW_MS / 1000 - 1) }
    const world = createWorld(info)
    const quota = await world.open()
    await assert.rejects(upload(quota, world, 1, 150, 100n), { name: 'ApiError', message: /has expired/ })
    assert.equal(await used(quota), 0)
  })
})

describe('an account', () => {
  const base = { trialUsed: 0n, paidUsed: 70n, cashedBytes: 0n, nonce: 4n, isCashing: false, cashed: [] }
  const kept = { size: 100n, signature: new Uint8Array(65), sinceMs: 0, expire: 0 }

  test('keeps what a cashed voucher paid and nobody used', () => {
    const cashed = withNonce({ ...base, voucher: kept, isCashing: true }, 5n)
    assert.deepEqual([cashed.nonce, cashed.voucher, paidRoom(cashed), usedUnderNonce(cashed)], [5n, undefined, 30n, 0n])
  })

  test('gets nothing for a voucher that nobody cashed', () => {
    const ended = withNonce({ ...base, voucher: kept }, 5n)
    assert.deepEqual([paidRoom(ended), usedUnderNonce(ended)], [0n, 0n])
  })

  test('is read again as it was written', async () => {
    const disk = createMemoryDisk()
    const paid = { nonce: 3n, size: 5n, signature: new Uint8Array(65), seenAtBlock: undefined }
    const cashed = [paid, { ...paid, nonce: 4n, seenAtBlock: 7 }]
    const account = { ...base, voucher: { ...kept, size: 2n ** 64n - 1n }, isCashing: true, cashed }
    await openLedger(disk.openIndexStore()).update(BUYER.address, (quota) => ({ ...quota, space: account }))
    const { quota } = await openLedger(disk.openIndexStore()).read(BUYER.address)
    assert.deepEqual(quota.space, account)
  })
})

test('numbers are read as whole bytes in 64 bits, and written bare', () => {
  for (const bad of ['', '-1', '+1', '1.0', '1e3', 'NaN', '0x1', ' 1', '01', `${2n ** 64n}`, 1.5, -1, NaN, null, {}]) {
    assert.equal(findSize(bad), undefined, String(bad))
  }
  assert.equal(findSize(`${2n ** 64n - 1n}`), 2n ** 64n - 1n)
  assert.equal(findSize(12), 12n)
  assert.equal(bigJson({ a: 2n ** 70n, b: '"', c: true }), `{"a":${2n ** 70n},"b":"\\"","c":true}`)
})
