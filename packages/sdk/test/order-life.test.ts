import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import type { OrderPolicy, PutResult } from '@memo/sdk'
import { createPayer, type Payer } from './support/payer.ts'
import { collect, createWorld, putOptions, type World } from './support/world.ts'

const PROVIDERS = 6
const MIB = 1_048_576
const POLICY: Partial<OrderPolicy> = {
  firstOrderBytes: MIB,
  termSeconds: 40_000,
  minTermSeconds: 40_000,
  minLeftSeconds: 10_000,
}

type Case = { readonly world: World; readonly payer: Payer }

function createCase(): Case {
  const world = createWorld({ providers: PROVIDERS })
  return { world, payer: createPayer(world, { policy: POLICY }) }
}

const put = async ({ world, payer }: Case, bytes: number, storage = payer.storage): Promise<PutResult> =>
  await world.run(storage.put(randomBytes(bytes), putOptions(world.did, world.owner)))
const read = async ({ world, payer }: Case, { manifest }: PutResult, storage = payer.storage) =>
  await world.run(collect(storage.read(manifest)))
const sizes = ({ payer }: Case) =>
  [...payer.money.orders.values()].map(({ segments }) => Number(segments.at(-1)?.sizeBytes) / MIB)
const ends = ({ payer }: Case) => [...payer.money.orders.values()].map(({ end }) => end)

/** Orders that grew far beyond a first one's size, of which little is left: what was given up is beyond dispute. */
async function growAndEmpty(one: Case): Promise<PutResult> {
  const { world, payer } = one
  const kept = await put(one, MIB)
  const gone = await Promise.all(Array.from({ length: 4 }, async () => await put(one, 8 * MIB)))
  for (const object of gone) await world.run(payer.storage.remove(world.did, object))
  assert.equal(await world.run(payer.orders.commitSets()), true)
  assert.ok(
    sizes(one).every((size) => size >= 8),
    `${sizes(one)}`,
  )
  return kept
}

/** The epoch in which orders are due to be renewed, with a window in which nothing can be disputed any more. */
async function becomeDue({ world, payer }: Case, closedBefore?: bigint): Promise<void> {
  const current = ends({ world, payer })[0]! - 300n
  world.chain.setEpochs({ current, closedBefore: closedBefore ?? current - 1n })
  await world.run(world.time.timers.sleep(10_000)) // epochs are believed for a while
}

describe('an order of which little is used any more', () => {
  test('is renewed with what it needs, and grows again only when that is used', async () => {
    const one = createCase()
    await growAndEmpty(one)
    const { lockedAtto } = [...one.payer.money.orders.values()][0]!
    const before = ends(one)
    await becomeDue(one)
    await one.world.run(one.payer.orders.renewDue())
    assert.deepEqual(sizes(one), [1, 1, 1, 1, 1, 1])
    assert.ok(ends(one).every((end, i) => end > before[i]!))
    assert.ok([...one.payer.money.orders.values()][0]!.lockedAtto < lockedAtto, 'what it costs less is free')
    await put(one, MIB)
    assert.deepEqual(sizes(one), [1, 1, 1, 1, 1, 1], 'no churn')
    await one.world.run(one.payer.orders.renewDue())
    assert.deepEqual(sizes(one), [1, 1, 1, 1, 1, 1])
  })

  test('keeps room for what was given up and lies there', async () => {
    const one = createCase()
    await growAndEmpty(one)
    await becomeDue(one, 0n)
    await one.world.run(one.payer.orders.renewDue())
    assert.ok(
      sizes(one).every((size) => size >= 8 && size < 32),
      `${sizes(one)}`,
    )
  })

  test('keeps its size when somebody takes room in it at the same moment, and nobody takes what it is about to lose', async () => {
    for (const bytes of [4 * MIB, 12 * MIB]) {
      const one = createCase()
      await growAndEmpty(one)
      await becomeDue(one)
      const renewing = one.payer.orders.renewDue()
      await Promise.all([one.world.run(renewing), put(one, bytes)])
      assert.equal(await one.world.run(one.payer.orders.commitSets()), true)
      assert.deepEqual(one.payer.faults, [])
      assert.deepEqual(one.world.faults, [])
      const { orders } = await one.world.run(one.payer.orders.status())
      for (const order of orders)
        assert.ok(order.committedBytes <= order.sizeBytes && order.heldBytes <= order.sizeBytes)
    }
  })

  test('takes no more than a change that is on its way leaves, also after a restart', async () => {
    const one = createCase()
    await growAndEmpty(one)
    await becomeDue(one)
    const { money } = one.payer
    money.hook = (call, when) => {
      if (call === 'amendOrder' && when === 'after') throw new TypeError('the process has ended')
    }
    await one.world.run(one.payer.orders.renewDue().catch(() => undefined)) // the process is gone
    money.hook = undefined
    const again = one.payer.again()
    await put(one, 3 * MIB, again.storage)
    const { orders } = await one.world.run(again.orders.status())
    for (const order of orders) {
      const size = one.payer.money.orders.get(BigInt(order.orderId))!.segments.at(-1)!.sizeBytes
      assert.ok(BigInt(order.heldBytes) <= size, `order ${order.orderId}`)
    }
    assert.deepEqual(one.world.faults, [])
  })
})

describe('an order that is over', () => {
  /** Orders that ran out because nothing was left in the escrow, and providers that keep what they hold for a while. */
  async function lapse(): Promise<Case & { readonly stored: PutResult }> {
    const one = createCase()
    const stored = await put(one, MIB)
    assert.equal(await one.world.run(one.payer.orders.commitSets()), true)
    one.payer.money.freeAtto = 0n
    const over = ends(one)[0]!
    one.world.chain.setEpochs({ current: over, closedBefore: over - 1n })
    await one.world.run(one.world.time.timers.sleep(10_000))
    await one.world.run(one.payer.orders.renewDue())
    return { ...one, stored }
  }
  const uploads = ({ world }: Case) =>
    world.providers.flatMap(({ requests }) => requests).filter((path) => path === 'POST /uploads').length
  const types = ({ payer }: Case) => payer.events.map(({ type }) => type)

  test('is followed by another once the escrow suffices, and nothing is sent again', async () => {
    const one = await lapse()
    const { world, payer, stored } = one
    assert.deepEqual([payer.money.orders.size, types(one).filter((type) => type === 'order-lapsed').length], [6, 6])
    assert.ok(types(one).includes('escrow-low'))
    const sent = uploads(one)
    payer.money.freeAtto = 10n ** 18n
    await world.run(payer.orders.renewDue())
    assert.equal(await world.run(payer.orders.commitSets()), true)
    assert.deepEqual([payer.money.orders.size, uploads(one)], [12, sent])
    const { orders } = await world.run(payer.orders.status())
    for (const { address, orders: side } of world.providers) {
      const [before, after] = orders.filter(({ provider }) => provider === address)
      const held = [...(side?.held.get(BigInt(after!.orderId))?.values() ?? [])].reduce((sum, size) => sum + size, 0)
      assert.deepEqual([before?.heldBytes, after?.heldBytes, after?.committedBytes], [0, held, held])
      assert.ok(held > 0)
    }
    const expiry = await world.run(payer.storage.findExpiry(stored.manifest, { owner: world.did }))
    assert.ok(
      (expiry?.expiresAt ?? 0) > world.time.clock.nowMs() / 1_000 + 30_000,
      'it lasts as long as the new orders',
    )
    assert.equal(await world.run(payer.orders.findExpiry([1, 2])), expiry?.expiresAt)
    assert.equal((await read(one, stored)).length, MIB)
    const { reads } = await world.run(payer.orders.status())
    assert.ok(reads.length > 0 && reads.every(({ orderId }) => orderId > 6), 'reads are paid under the orders that run')
    await world.run(payer.orders.renewDue())
    assert.equal(payer.money.orders.size, 12, 'once')
    const again = payer.again()
    assert.equal(await world.run(again.orders.findExpiry([1, 2])), expiry?.expiresAt, 'also after a restart')
    assert.deepEqual(payer.faults, [])
  })

  test('is followed by none where its provider kept nothing, which is said', async () => {
    const one = await lapse()
    const { world, payer } = one
    for (const { orders } of world.providers.slice(0, 2)) {
      orders!.held.clear()
      orders!.faults.hidePieces = true
    }
    payer.money.freeAtto = 10n ** 18n
    await world.run(payer.orders.renewDue())
    assert.equal(payer.money.orders.size, 10)
    const followed = payer.events.filter((event) => event.type === 'order-followed')
    assert.equal(followed.filter(({ lostBytes, usedBytes }) => lostBytes > 0 && usedBytes === 0).length, 2)
    assert.equal(followed.filter(({ lostBytes, usedBytes }) => lostBytes === 0 && usedBytes > 0).length, 4)
    await world.run(payer.orders.renewDue())
    assert.equal(payer.money.orders.size, 10)
  })

  test('does not keep orders with others from being followed while its provider lists pieces without end', async () => {
    const one = await lapse()
    const { world, payer } = one
    const [slow] = world.providers
    slow!.orders!.faults.inventsPieces = true
    world.network.setLink('*', slow!.endpoint, { delayMs: 1_000 })
    payer.money.freeAtto = 10n ** 18n
    payer.orders.start()
    await world.run(world.time.timers.sleep(120_000))
    const followed = payer.events.filter((event) => event.type === 'order-followed')
    assert.equal(followed.length, PROVIDERS - 1)
    assert.ok(followed.every(({ provider }) => provider !== slow!.address))
    slow!.orders!.faults.inventsPieces = false
    await world.run(world.time.timers.sleep(60_000))
    assert.equal(payer.events.filter((event) => event.type === 'order-followed').length, PROVIDERS)
    await world.run(payer.orders.close())
  })

  test('is told as lost where its provider let all of it go and forgot, also after a crash', async () => {
    const { world, payer } = await lapse()
    const gone = world.providers[0]!.orders!
    gone.held.clear()
    gone.commitments.clear()
    gone.faults.hidePieces = true
    payer.money.freeAtto = 10n ** 18n
    const again = payer.again()
    await world.run(again.orders.renewDue())
    const followed = payer.events.filter((event) => event.type === 'order-followed')
    assert.deepEqual([followed.length, followed.filter(({ lostBytes }) => lostBytes > 0).length], [PROVIDERS, 1])
    assert.deepEqual(payer.faults, [])
  })

  test('is not believed more than was stored under it', async () => {
    const one = await lapse()
    const { world, payer } = one
    const side = world.providers[0]!.orders!
    side.held.get([...side.held.keys()][0]!)!.set('ab'.repeat(32), 500 * MIB)
    payer.money.freeAtto = 10n ** 18n
    await world.run(payer.orders.renewDue())
    assert.ok(sizes(one).every((size) => size <= 2))
  })
})

test('all orders with one provider that hold something are renewed, also by a book that finds them on the chain', async () => {
  const one = createCase()
  const { world, payer } = one
  await put(one, MIB)
  assert.equal(await world.run(payer.orders.commitSets()), true)
  // Another process with the key has opened a second order with each provider, and stored under it.
  for (const [i, { provider, end }] of [...payer.money.orders.values()].entries()) {
    const price = { sizeBytes: BigInt(MIB), priceAttoPerGiBSecond: 1_000n }
    const terms = {
      user: payer.money.account,
      provider,
      nonce: BigInt(i),
      ...price,
      start: 0n,
      end,
      submitBy: 2n ** 60n,
    }
    const orderId = await payer.money.openOrder(terms, new Uint8Array(65), new AbortController().signal)
    const side = world.providers.find(({ address }) => address === provider)?.orders
    side?.held.set(orderId, new Map([['cd'.repeat(32), 1_000]]))
  }
  const found = createPayer(world, { policy: POLICY })
  Object.assign(found.money, payer.money)
  assert.equal(await world.run(found.orders.status()).then(({ orders }) => orders.length), 12)
  assert.equal(await world.run(found.orders.commitSets()), true)
  await world.run(found.orders.close())
  const { orders } = found.again()
  const before = ends(one)
  await becomeDue(one)
  await world.run(orders.renewDue())
  assert.equal(before.length, 12)
  assert.ok(
    ends(one).every((end, i) => end > before[i]!),
    `${ends(one)} after ${before}`,
  )
})
