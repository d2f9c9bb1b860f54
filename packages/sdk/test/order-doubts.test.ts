import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { createMemoryIndexStore, InjectedFaultError } from '@memo/core/testing'
import { createPayer, type Payer } from './support/payer.ts'
import { collect, createWorld, putOptions, type World } from './support/world.ts'

const SIZE = 300_000
const MIB = 1_048_576

const put = async (world: World, payer: Pick<Payer, 'storage'>) =>
  await world.run(payer.storage.put(randomBytes(SIZE), putOptions(world.did, world.owner)))
const removedFrom = async (world: World, { orders }: Pick<Payer, 'orders'>) =>
  (await world.run(orders.status())).orders.reduce((sum, order) => sum + order.uncommitted, 0)

test('a provider that says again and again that its order is full is paid for no more than a first order', async () => {
  const world = createWorld({ providers: 6 })
  const payer = createPayer(world, { policy: { firstOrderBytes: MIB } })
  await put(world, payer)
  const { address, orders: side } = world.providers[0]!
  const [held] = [...side!.held.values()]
  held!.set('ab'.repeat(32), 2 ** 45)
  for (let i = 0; i < 10; i++) await put(world, payer)
  const { orders } = await world.run(payer.orders.status())
  const size = orders.find(({ provider }) => provider === address)!.sizeBytes
  assert.ok(size <= 4 * MIB, `${size / MIB} MiB`)
})

test('what is deleted before the book has read its records goes from the set all the same', async () => {
  const world = createWorld({ providers: 6 })
  const payer = createPayer(world)
  await put(world, payer)
  await world.run(payer.orders.close())
  const [held] = [...world.providers[0]!.orders!.held.values()]
  const [root] = [...held!.keys()]
  const again = payer.again()
  again.orders.noteRemoved(world.providers[0]!.address, Uint8Array.from(Buffer.from(root!, 'hex')))
  assert.equal(await removedFrom(world, again), 1)
})

test('an order that another one has under its number, after the chain rewound, is not used', async () => {
  const world = createWorld({ providers: 6 })
  const payer = createPayer(world)
  await put(world, payer)
  const { address } = world.providers[0]!
  const [orderId, order] = [...payer.money.orders].find(([, one]) => one.provider === address)!
  const stranger = { ...order, user: world.providers[1]!.address }
  payer.money.orders.set(orderId, stranger)
  world.chain.setOrder(orderId, stranger)
  for (let i = 0; i < 3; i++) await put(world, payer)
  const { orders } = await world.run(payer.orders.status())
  const own = orders.filter(({ provider }) => provider === address).at(-1)!
  assert.notEqual(BigInt(own.orderId), orderId)
  assert.equal(payer.money.orders.get(BigInt(own.orderId))?.user, world.owner.signer.address)
})

test('an order whose number is used and whose event is late is waited for, not opened anew', async () => {
  const world = createWorld({ providers: 6 })
  const payer = createPayer(world)
  let isLate = true
  const { findOpened } = payer.money
  Object.assign(payer.money, {
    findOpened: async (...question: Parameters<typeof findOpened>) =>
      isLate ? undefined : await findOpened(...question),
  })
  payer.money.hook = (call, when) => {
    if (call === 'openOrder' && when === 'after') throw new RangeError('the answer was lost')
  }
  await put(world, payer).catch(() => undefined) // whether it is stored is of no matter here: how often it is paid for is
  payer.money.hook = undefined
  assert.equal(payer.money.orders.size, 6)
  const again = payer.again()
  await put(world, again).catch(() => undefined) // whether it is stored is of no matter here: how often it is paid for is
  isLate = false
  await put(world, again)
  assert.equal(payer.money.orders.size, 6)
})

test('a provider whose price is beyond all others gets no order, however much the escrow has', async () => {
  const world = createWorld({ providers: 7 })
  const payer = createPayer(world)
  const { address } = world.providers[0]!
  const prices = { storagePriceAttoPerGiBSecond: 10n ** 15n, retrievalPriceAttoPerByte: 3n }
  world.chain.setAccount({ address, role: 'provider', ...prices })
  const before = payer.money.freeAtto
  for (let i = 0; i < 4; i++) await put(world, payer)
  assert.ok(before - payer.money.freeAtto < before / 100n, `${before - payer.money.freeAtto} of ${before}`)
  const { orders } = await world.run(payer.orders.status())
  assert.equal(orders.length, 6)
  assert.ok(!orders.some(({ provider }) => provider === address))
  assert.ok(world.faults.some(({ name, address: whose }) => name === 'PriceTooHighError' && whose === address))
})

test('who says what he pays at most pays that', async () => {
  const world = createWorld({ providers: 6 })
  const payer = createPayer(world, { policy: { maxPriceAttoPerGiBSecond: 10n ** 7n } })
  const { address } = world.providers[0]!
  const prices = { storagePriceAttoPerGiBSecond: 10n ** 7n, retrievalPriceAttoPerByte: 3n }
  world.chain.setAccount({ address, role: 'provider', ...prices })
  await put(world, payer)
  assert.equal(payer.money.orders.size, 6)
})

test('a provider that lists more than its order has room for is told of, and paid for none of it', async () => {
  const world = createWorld({ providers: 6 })
  const payer = createPayer(world, { policy: { firstOrderBytes: MIB } })
  await put(world, payer)
  const { address, orders: side } = world.providers[0]!
  const [held] = [...side!.held.values()]
  held!.set('ab'.repeat(32), 2 ** 45)
  const again = payer.again() // after a crash: what providers say is read
  await world.run(again.orders.commitSets())
  const { orders } = await world.run(again.orders.status())
  const own = orders.find(({ provider }) => provider === address)!
  assert.ok(own.heldBytes < 2 * MIB, `${own.heldBytes}`)
  assert.ok(payer.faults.some(({ name, address: whose }) => name === 'BadAnswerError' && whose === address))
})

for (const first of ['the look after orders', 'a put'] as const) {
  test(`orders that the chain forgets are opened again for what lies there, which ${first} sees`, async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world)
    const content = new Uint8Array(randomBytes(MIB))
    const options = putOptions(world.did, world.owner)
    const stored = await world.run(payer.storage.put(content, options))
    assert.equal(await world.run(payer.orders.commitSets()), true)
    await world.run(payer.orders.close())
    const held = async ({ orders }: Pick<Payer, 'orders'>) => {
      const status = await world.run(orders.status())
      return status.orders
        .map(({ provider, heldBytes, committedBytes }) => [provider, heldBytes, committedBytes])
        .sort()
    }
    const sent = () =>
      world.providers.flatMap(({ requests }) => requests).filter((path) => path === 'POST /uploads').length
    const again = payer.again() // another process, that has the store alone
    const [before, sentBefore] = [await held(again), sent()]
    const { orders } = payer.money
    const [one] = [...orders.values()]
    for (const [orderId, { lockedAtto }] of orders) {
      world.chain.setOrder(orderId, undefined)
      payer.money.freeAtto += lockedAtto
    }
    orders.clear()
    // Somebody else was faster: all get other numbers, most of them one that was another provider's.
    orders.set(1n, { ...one!, user: world.providers[1]!.address })
    world.chain.setOrder(1n, orders.get(1n))

    if (first === 'a put') await world.run(again.storage.put(content.subarray(1), options))
    for (let i = 0; i < 2; i++) await world.run(again.orders.renewDue())
    assert.equal(await world.run(again.orders.commitSets()), true)
    if (first !== 'a put') assert.deepEqual([await held(again), sent()], [before, sentBefore], 'nothing was sent')
    assert.ok((await held(again)).every(([, bytes, committed], i) => bytes === committed && bytes! >= before[i]![1]!))
    assert.equal(orders.size, 7, 'one with each provider, and the other')
    assert.equal(payer.events.filter(({ type }) => type === 'order-forgotten').length, 6)
    assert.deepEqual(await world.run(collect(again.storage.read(stored.manifest))), content)
    const restarted = payer.again()
    await world.run(again.orders.close())
    await world.run(restarted.orders.renewDue())
    assert.deepEqual([orders.size, (await held(restarted)).length], [7, 6], 'once')
    assert.deepEqual(payer.faults, [])
  })
}

test('a status that the chain does not answer fails once, and leaves nothing behind that fails unseen', async () => {
  const world = createWorld({ providers: 6 })
  const kept = createMemoryIndexStore()
  let isBroken = false
  const store = new Proxy(kept, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]) => {
        if (isBroken) throw new InjectedFaultError('the disk fails')
        return await value.apply(target, args)
      }
    },
  })
  const payer = createPayer(world, { store })
  await put(world, payer)
  const ids = [...payer.money.orders.keys()].map(Number)
  await world.run(payer.orders.close())
  const again = payer.again()
  // It knows its records, and has opened none of their sets yet.
  await world.run(again.orders.findExpiry(ids))
  isBroken = true
  payer.money.getFreeEscrow = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    throw new InjectedFaultError('the chain is down')
  }
  const unseen: unknown[] = []
  const note = (reason: unknown) => unseen.push(reason)
  process.on('unhandledRejection', note)
  try {
    await assert.rejects(again.orders.status(), /the chain is down/)
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.off('unhandledRejection', note)
  }
  assert.deepEqual(unseen, [])
})
