import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { InjectedFaultError } from '@memo/core/testing'
import { BUYER, createWorld, DAY, DIDS, END, endOf, GRACE, START, usedOf } from './support/quota-world.ts'

describe('what is over', () => {
  test('goes after its grace and never before, the newest first, and the trial keeps the oldest that fit', async () => {
    const { chain, open, living, eventsOf } = createWorld()
    const gateway = await open()
    const free = await gateway.put(90)
    const ids = [
      await gateway.put(60, { size: 500n }),
      await gateway.put(200),
      await gateway.put(120, { did: DIDS[1]! }),
    ]
    assert.equal(await endOf(gateway.quota, free), undefined, 'what the trial holds has no end')
    assert.deepEqual(
      await Promise.all(ids.map(async (id) => await endOf(gateway.quota, id))),
      ids.map(() => END + GRACE),
    )
    for (const now of [END - 1n, END, END + GRACE - 1n]) {
      chain.now = now
      await gateway.pass()
      assert.deepEqual(living(), [free, ...ids], `${now - END} s after the end`)
    }
    assert.deepEqual(eventsOf('quota-ended'), [])
    chain.now = END + GRACE
    chain.deep = chain.now - 1n
    await gateway.pass()
    assert.deepEqual(living(), [free, ...ids], 'a block that may yet be another one ends nothing')
    chain.deep = chain.now
    await gateway.pass()
    // Of the first 50 bytes are paid and 10 in the trial, of which 90 are taken: it does not fit.
    assert.deepEqual(living(), [free])
    assert.deepEqual(
      eventsOf('quota-ended').map(({ object }) => object),
      [...ids].reverse(),
    )
    assert.deepEqual(await usedOf(gateway.quota), [90n, 380n - 10n], 'what a term had paid is used up')
  })

  test('moves into the trial as soon as there is room, and then has no end', async () => {
    const { chain, open, living } = createWorld()
    const gateway = await open()
    const free = await gateway.put(100)
    const paid = await gateway.put(80, { size: 80n })
    await gateway.quota.beginDeletion(free)
    await gateway.quota.endDeletion(free)
    chain.now = END + GRACE * 5n
    await gateway.pass()
    assert.ok(living().includes(paid))
    assert.equal(await endOf(gateway.quota, paid), undefined)
    assert.deepEqual(await usedOf(gateway.quota), [80n, 80n])
  })

  test('has its grace from when the gateway sees it, where that was down, and is kept where the operator says so', async () => {
    for (const keepEnded of [false, true]) {
      const { chain, open, living, disk } = createWorld()
      const first = await open()
      const id = await first.put(300, { size: 300n })
      disk.crash()
      chain.now = END + 400n * DAY
      const gateway = await open({ keepEnded })
      await gateway.pass()
      assert.deepEqual(living(), [id])
      assert.equal(await endOf(gateway.quota, id), chain.now + GRACE)
      chain.now += GRACE
      await gateway.pass()
      assert.deepEqual(living(), keepEnded ? [id] : [])
      await assert.rejects(gateway.put(300), /bytes of space are missing/)
    }
  })

  test('stays while the chain is silent, whatever the machine’s clock says, and though the chain goes back', async () => {
    const { chain, open, living, eventsOf } = createWorld()
    const gateway = await open()
    const id = await gateway.put(300, { size: 300n })
    chain.clockMs = Number(END + GRACE * 100n) * 1_000
    await gateway.pass()
    assert.deepEqual(eventsOf('quota-ending'), [], 'the clock of the machine ends nothing')
    chain.clockMs = 0
    chain.now = END + 1n
    await gateway.pass()
    assert.equal(eventsOf('quota-ending').length, 1)
    chain.isSilent = true
    await gateway.pass()
    assert.equal(eventsOf('ended-waits').length, 1)
    chain.isSilent = false
    chain.now = START
    await gateway.pass()
    assert.deepEqual(living(), [id])
    chain.now = END + GRACE
    await gateway.pass()
    assert.deepEqual(living(), [])
  })

  test('is told of once a day, over restarts too, from 30 days before its end', async () => {
    const { chain, open, eventsOf } = createWorld()
    const first = await open()
    await first.put(300, { size: 300n })
    for (const [now, told] of [
      [END - 30n * DAY - 1n, 0],
      [END - 30n * DAY, 1],
      [END - 30n * DAY + 60n, 1],
      [END - 29n * DAY, 2],
    ] as const) {
      chain.now = now
      const gateway = await open()
      await gateway.pass()
      await gateway.pass()
      assert.equal(eventsOf('quota-ending').length, told)
    }
  })

  test('is warned of though more was signed for than is stored, since that ends with the same quota', async () => {
    const { chain, open } = createWorld()
    const gateway = await open()
    await gateway.put(400, { size: 5_000n })
    chain.now = END - DAY
    const [ending] = await gateway.quota.lasting.listEnding(BUYER.address)
    assert.deepEqual([ending?.bytes, ending?.isOver, ending?.missingBytes], [300n, false, 1n])
  })

  test('is not taken over while it is being deleted', async () => {
    const { chain, open, voucher, buyAgain } = createWorld()
    const gateway = await open()
    const id = await gateway.put(400, { size: 300n })
    chain.now = END
    await gateway.pass()
    buyAgain(1_000n)
    await gateway.quota.beginDeletion(id)
    await gateway.quota.offerVoucher(BUYER.address, 'space', await voucher(300n))
    assert.deepEqual(await usedOf(gateway.quota), [100n, 0n])
    await gateway.quota.endDeletion(id)
    assert.deepEqual(await usedOf(gateway.quota), [0n, 0n])
    assert.equal(await endOf(gateway.quota, id), undefined)
  })

  test('stays where its buyer pays for it when it is about to be deleted', async () => {
    const { chain, open, voucher, buyAgain, living, eventsOf } = createWorld()
    const gateway = await open()
    const id = await gateway.put(400, { size: 300n })
    chain.now = END
    await gateway.pass()
    chain.now = END + GRACE
    const { findById } = gateway.objects
    let isBought = false
    const buyThen: typeof findById = async (asked) => {
      if (!isBought) {
        isBought = true
        buyAgain(1_000n)
        await gateway.quota.offerVoucher(BUYER.address, 'space', await voucher(300n))
      }
      return await findById(asked)
    }
    Object.assign(gateway.objects, { findById: buyThen })
    await gateway.pass()
    assert.deepEqual(living(), [id])
    assert.deepEqual(eventsOf('quota-ended'), [])
    assert.deepEqual(await usedOf(gateway.quota), [100n, 300n])
  })

  test('is nobody’s where the ledger knows nothing of it: a ledger that was lost ends nothing', async () => {
    const { chain, open, living } = createWorld()
    const first = await open()
    const id = await first.put(300, { size: 300n })
    for (const prefix of ['quota/', 'charge', 'term/']) {
      const lost = await first.store.list({ prefix, limit: 100 })
      await first.store.apply(lost.map(({ key }) => ({ key })))
    }
    chain.now = END + GRACE * 10n
    const gateway = await open()
    await gateway.pass()
    await gateway.pass()
    assert.deepEqual(living(), [id])
  })

  test('is gone exactly once wherever a deletion is cut off, and nothing else is', async () => {
    let crashes = 0
    for (let step = 1; step < 60; step++) {
      const { chain, disk, open, living, eventsOf } = createWorld()
      const first = await open()
      const free = await first.put(100)
      await first.put(200, { size: 600n })
      await first.put(150)
      chain.now = END
      await first.pass()
      chain.now += GRACE
      let operations = 0
      disk.setFault((operation) => {
        if (operation === 'read') return undefined
        operations += 1
        return operations === step ? new InjectedFaultError('the power is cut') : undefined
      })
      await first.pass()
      if (operations >= step) crashes += 1
      disk.setFault(undefined)
      disk.crash()
      const gateway = await open()
      await gateway.pass()
      await gateway.pass()
      assert.deepEqual(living(), [free], `step ${step}`)
      assert.deepEqual(await usedOf(gateway.quota), [100n, 350n], `step ${step}`)
      assert.equal(await endOf(gateway.quota, free), undefined)
      assert.ok(eventsOf('quota-ended').length <= 2)
    }
    assert.ok(crashes > 5, `${crashes}`)
  })
})

describe('who buys again', () => {
  test('after the end keeps what a voucher under the new nonce covers, in whole objects, the oldest first', async () => {
    const { chain, open, living, voucher, buyAgain, info } = createWorld()
    const gateway = await open()
    const ids = [await gateway.put(400, { size: 1_000n }), await gateway.put(400)]
    chain.now = END + 1n
    await gateway.pass()
    buyAgain(2_000n)
    await assert.rejects(gateway.put(10), /700 bytes .* in grace until/)
    // 100 bytes of the first lie in the trial.
    await gateway.quota.offerVoucher(BUYER.address, 'space', await voucher(500n))
    assert.equal(await endOf(gateway.quota, ids[0]!), info.expire + GRACE)
    assert.equal(await endOf(gateway.quota, ids[1]!), END + GRACE)
    assert.deepEqual(await usedOf(gateway.quota), [100n, 300n], 'never more than was signed for')
    await assert.rejects(gateway.put(10), { name: 'ApiError', message: /200 bytes .* in grace/ })
    await gateway.quota.offerVoucher(BUYER.address, 'space', await voucher(700n))
    assert.deepEqual(await usedOf(gateway.quota), [100n, 700n])
    await gateway.quota.offerVoucher(BUYER.address, 'space', await voucher(700n))
    assert.deepEqual(await usedOf(gateway.quota), [100n, 700n], 'nothing is paid twice')
    chain.now = END + GRACE * 2n
    await gateway.pass()
    assert.deepEqual(living(), ids)
  })

  test('before the end pays for the time after it, when it comes: under one nonce both, or after a cashed voucher', async () => {
    for (const isCashed of [false, true]) {
      const { chain, open, living, voucher, info } = createWorld()
      const gateway = await open()
      const id = await gateway.put(400, { size: 300n })
      chain.now = END - 10n * DAY
      assert.equal((await gateway.quota.lasting.listEnding(BUYER.address))[0]?.bytes, 300n)
      info.expire = END + 1_000n * DAY
      if (isCashed) Object.assign(info, { nonce: 1n, sizeByte: info.sizeByte - 300n })
      const [ending] = await gateway.quota.lasting.listEnding(BUYER.address)
      assert.equal(ending?.missingBytes, 0n, 'bought; a voucher is missing')
      await gateway.quota.offerVoucher(BUYER.address, 'space', await voucher(isCashed ? 300n : 600n))
      assert.deepEqual(await gateway.quota.lasting.listEnding(BUYER.address), [])
      assert.equal(await endOf(gateway.quota, id), info.expire + GRACE)
      assert.deepEqual(await usedOf(gateway.quota), [100n, isCashed ? 0n : 300n], 'its time has not come')
      chain.now = END
      await gateway.pass()
      assert.deepEqual(await usedOf(gateway.quota), [100n, isCashed ? 300n : 600n])
      chain.now = END + GRACE * 2n
      await gateway.pass()
      assert.deepEqual(living(), [id])
    }
  })

  test('without signing has one grace more, and no third one', async () => {
    const { chain, open, living, buyAgain } = createWorld()
    const gateway = await open()
    const id = await gateway.put(400, { size: 300n })
    chain.now = END
    await gateway.pass()
    chain.now = END + GRACE - 1n
    buyAgain(1_000n)
    await gateway.pass()
    assert.equal(await endOf(gateway.quota, id), chain.now + GRACE)
    chain.now += GRACE - 1n
    await gateway.pass()
    assert.deepEqual(living(), [id])
    chain.now += 1n
    await gateway.pass()
    assert.deepEqual(living(), [])
  })

  test('while the gateway is down loses nothing by that', async () => {
    const { chain, disk, open, living, voucher, buyAgain } = createWorld()
    const first = await open()
    const id = await first.put(400, { size: 300n })
    disk.crash()
    chain.now = END + 5n
    buyAgain(1_000n)
    chain.now = END + GRACE * 3n
    const gateway = await open()
    await gateway.pass()
    assert.deepEqual(living(), [id])
    await gateway.quota.offerVoucher(BUYER.address, 'space', await voucher(300n))
    chain.now += GRACE * 3n
    await gateway.pass()
    assert.deepEqual(living(), [id])
  })

  test('is neither charged twice nor forgotten wherever the taking over is cut off', async () => {
    let crashes = 0
    for (let step = 1; step < 20; step++) {
      const { chain, disk, open, living, voucher, buyAgain, info } = createWorld()
      const first = await open()
      const ids = [await first.put(400, { size: 1_000n }), await first.put(200)]
      chain.now = END
      await first.pass()
      buyAgain(2_000n)
      let operations = 0
      disk.setFault((operation) => {
        if (operation === 'read') return undefined
        operations += 1
        return operations === step ? new InjectedFaultError('the power is cut') : undefined
      })
      try {
        await first.quota.offerVoucher(BUYER.address, 'space', await voucher(500n))
      } catch (thrown) {
        assert.ok(thrown instanceof InjectedFaultError, String(thrown))
        crashes += 1
      }
      disk.setFault(undefined)
      disk.crash()
      const gateway = await open()
      await gateway.quota.offerVoucher(BUYER.address, 'space', await voucher(500n))
      assert.deepEqual(await usedOf(gateway.quota), [100n, 500n], `step ${step}`)
      for (const id of ids) assert.equal(await endOf(gateway.quota, id), info.expire + GRACE)
      chain.now += GRACE * 2n
      await gateway.pass()
      assert.deepEqual(living(), ids)
    }
    assert.ok(crashes > 3, `${crashes}`)
  })
})
