import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import type { Manifest } from '@memo/core'
import { DEFAULT_ORDER_POLICY, EscrowTooSmallError } from '@memo/sdk'
import { createPayer, type Payer, READ_PRICE_ATTO } from './support/payer.ts'
import { collect, createWorld, putOptions, type World } from './support/world.ts'

const SIZE = 300_000
const MIB = 1_048_576

const put = async (world: World, payer: Pick<Payer, 'storage'>, bytes: Uint8Array = randomBytes(SIZE)) =>
  await world.run(payer.storage.put(bytes, putOptions(world.did, world.owner)))
const read = async (world: World, payer: Pick<Payer, 'storage'>, manifest: Manifest) =>
  await world.run(collect(payer.storage.read(manifest)))
const opened = (payer: Payer) => payer.money.calls.filter((call) => call === 'openOrder').length

describe('puts that are paid', () => {
  test('every piece lies under an order with its provider, one for each provider', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world)
    const stored = await put(world, payer)
    assert.equal(payer.money.orders.size, 6)
    const { orders } = await world.run(payer.orders.status())
    for (const provider of world.providers) {
      const order = orders.find((one) => one.provider === provider.address)
      assert.equal(order?.sizeBytes, DEFAULT_ORDER_POLICY.firstOrderBytes)
      const held = provider.orders?.held.get(BigInt(order?.orderId ?? 0))
      assert.equal(held?.size, 1)
      assert.equal(order?.heldBytes, [...(held?.values() ?? [])][0])
    }
    const part = [...world.keepers[0]!.parts.values()][0]
    assert.ok(
      part?.placement.pieces.every(({ orderId }) => orderId > 0),
      'the placement says so',
    )
    assert.equal(stored.partIds.length, 1)
    assert.equal(payer.events.filter(({ type }) => type === 'order-opened').length, 6)
  })

  test('an order with room makes no put wait for the chain', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world)
    await put(world, payer)
    payer.money.calls.length = 0
    for (let i = 0; i < 5; i++) await put(world, payer)
    const writes = payer.money.calls.filter((call) => /Order$|^allow/.test(call) && call !== 'findOrder')
    assert.deepEqual(writes, [])
  })

  test('concurrent puts share one opening per provider', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world)
    await Promise.all(Array.from({ length: 4 }, async () => await put(world, payer)))
    assert.equal(opened(payer), 6)
  })

  test('an order grows before it is full, in the background, and one that is full at once', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world, { policy: { firstOrderBytes: MIB } })
    for (let i = 0; i < 12; i++) await put(world, payer, randomBytes(MIB))
    const { orders } = await world.run(payer.orders.status())
    for (const order of orders) {
      assert.ok(order.heldBytes >= 3 * MIB && order.sizeBytes >= order.heldBytes, JSON.stringify(order.heldBytes))
    }
    assert.equal(opened(payer), 6)
    assert.ok(payer.events.some(({ type }) => type === 'order-grown'))
  })

  test('a provider that counts more under an order than we know of gets a larger one, and nobody else does', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world, { policy: { firstOrderBytes: MIB } })
    await put(world, payer)
    const { address, orders: side } = world.providers[0]!
    const [orderId, held] = [...side!.held.entries()][0]!
    held.set('ab'.repeat(32), 900_000)
    await put(world, payer)
    await put(world, payer)
    const { orders } = await world.run(payer.orders.status())
    const sizes = new Map(orders.map((order) => [order.provider, order.sizeBytes]))
    assert.equal(sizes.get(address), 2 * MIB)
    assert.ok(
      [...sizes].every(([provider, size]) => provider === address || size === MIB),
      `order ${orderId}`,
    )
    assert.equal(world.faults.filter(({ name }) => name === 'OrderRefusedError').length, 1)
  })

  test('an empty escrow fails a put before its first byte, and names the command', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world, { freeAtto: 0n })
    let hasAsked = false
    const source = (async function* () {
      hasAsked = true
      yield randomBytes(SIZE)
    })()
    const failing = payer.storage.put(source, putOptions(world.did, world.owner))
    await assert.rejects(world.run(failing), (thrown: EscrowTooSmallError) => {
      assert.equal(thrown.name, 'EscrowTooSmallError')
      assert.equal(thrown.blame, 'user')
      assert.match(thrown.fix ?? '', /memo escrow deposit/)
      return true
    })
    assert.equal(hasAsked, false)
    assert.deepEqual(
      world.providers.flatMap(({ pieces }) => [...pieces.keys()]),
      [],
    )
  })

  test('an escrow that pays for too few providers sends no byte to any', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world, { freeAtto: 300_000n })
    await assert.rejects(put(world, payer), EscrowTooSmallError)
    assert.equal(world.providers.flatMap(({ requests }) => requests).filter((path) => /uploads/.test(path)).length, 0)
  })

  test('a small escrow buys smaller and shorter orders', async () => {
    const world = createWorld({ providers: 6 })
    // An epoch of a MiB costs 62 attomemo; a day has 1,440 epochs.
    const payer = createPayer(world, { freeAtto: 6n * 1_600n * 62n })
    await put(world, payer)
    const { orders } = await world.run(payer.orders.status())
    assert.ok(orders.every(({ sizeBytes }) => sizeBytes === MIB))
  })

  test('a provider that refuses, overcharges or signs with another key is blamed, and another is taken', async () => {
    const world = createWorld({ providers: 9 })
    const payer = createPayer(world)
    Object.assign(world.providers[0]!.orders!.faults, { refuseOrders: 'not today' })
    Object.assign(world.providers[1]!.orders!.faults, { overcharge: 1n })
    Object.assign(world.providers[2]!.orders!.faults, { signWith: world.owner.signer })
    const stored = await put(world, payer)
    const bad = new Set(world.providers.slice(0, 3).map(({ address }) => address))
    assert.ok(stored.providers.every((address) => !bad.has(address)))
    assert.equal(stored.providers.length, 6)
    const blamed = new Map(world.faults.map(({ address, name }) => [address, name]))
    const names = world.providers.slice(0, 3).map(({ address }) => blamed.get(address))
    assert.deepEqual(names, ['OrderRefusedError', 'PriceTooHighError', 'BadAnswerError'])
    assert.equal(payer.money.orders.size, 6)
  })
})

describe('sets', () => {
  test('what is stored is committed a while later, in one commitment for each order', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world)
    for (let i = 0; i < 3; i++) await put(world, payer)
    await world.run(world.time.timers.sleep(DEFAULT_ORDER_POLICY.commitDelayMs + 1_000))
    for (const { orders } of world.providers) {
      const [commitment] = [...(orders?.commitments.values() ?? [])]
      assert.equal(commitment?.commitment.seq, 1n)
      const held = [...(orders?.held.values() ?? [])].flatMap((pieces) => [...pieces.values()])
      assert.equal(commitment?.commitment.usedBytes, BigInt(held.reduce((sum, size) => sum + size, 0)))
    }
  })

  test('what is deleted goes from the set, and its room is free again', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world)
    const stored = await put(world, payer)
    assert.equal(await world.run(payer.orders.commitSets()), true)
    await world.run(payer.storage.remove(world.did, stored))
    assert.equal(await world.run(payer.orders.commitSets()), true)
    const { orders } = await world.run(payer.orders.status())
    assert.ok(orders.every((order) => order.heldBytes === 0 && order.committedBytes === 0))
    for (const { orders: side } of world.providers) {
      const [commitment] = [...(side?.commitments.values() ?? [])]
      assert.deepEqual([commitment?.commitment.seq, commitment?.commitment.usedBytes], [2n, 0n])
    }
  })

  test('an answer that was lost is asked for again, and the same commitment is signed once', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world)
    await put(world, payer)
    const side = world.providers[0]!.orders!
    Object.assign(side.faults, { losesAnswer: true })
    assert.equal(await world.run(payer.orders.commitSets()), false)
    Object.assign(side.faults, { losesAnswer: false })
    assert.equal(await world.run(payer.orders.commitSets()), true)
    assert.equal([...side.commitments.values()][0]?.commitment.seq, 1n)
  })

  test('a book that lost its store finds its orders on the chain and their pieces at the providers', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world, { policy: { commitDelayMs: 1e9 } })
    await put(world, payer)
    await world.run(payer.orders.commitSets())
    await put(world, payer)
    const before = await world.run(payer.orders.status())
    const lost = createPayer(world)
    const { orders } = { orders: lost.orders }
    Object.assign(lost.money, { listOwnOrders: async () => [...payer.money.orders.keys()] })
    Object.assign(lost.money, { findOrder: async (id: bigint) => payer.money.orders.get(id) })
    orders.start()
    assert.equal(await world.run(orders.commitSets()), true, JSON.stringify(lost.faults))
    const after = await world.run(orders.status())
    const held = (status: typeof after) => status.orders.map(({ orderId, heldBytes }) => [orderId, heldBytes])
    assert.deepEqual(held(after), held(before))
    assert.ok(after.orders.every(({ commitmentSeq }) => commitmentSeq === 2))
    await world.run(orders.close())
  })

  test('a book that was closed knows its sets again, and signs nothing anew', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world)
    await put(world, payer)
    await world.run(payer.orders.close())
    const before = await world.run(payer.again().orders.status())
    assert.ok(before.orders.every(({ heldBytes, committedBytes }) => heldBytes > 0 && heldBytes === committedBytes))
    const next = payer.again()
    await put(world, next)
    assert.equal(await world.run(next.orders.commitSets()), true)
    assert.deepEqual(payer.faults, [])
    const { orders } = await world.run(next.orders.status())
    assert.ok(orders.every(({ commitmentSeq }) => commitmentSeq === 2))
  })

  test('what was given up before a crash goes from the set after it, and what was stored again stays', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world, { policy: { commitDelayMs: 1e9 } })
    const bytes = randomBytes(SIZE)
    const open = { ...putOptions(world.did, world.owner), isPublic: true, readers: [] }
    const kept = await world.run(payer.storage.put(bytes, open))
    const gone = await put(world, payer)
    assert.equal(await world.run(payer.orders.commitSets()), true)
    await world.run(payer.storage.remove(world.did, gone))
    await world.run(payer.storage.remove(world.did, kept))
    await world.run(payer.storage.put(bytes, open))
    const { orders } = payer.again()
    assert.equal(await world.run(orders.commitSets()), true)
    for (const order of (await world.run(orders.status())).orders) {
      const side = world.providers.find(({ address }) => address === order.provider)?.orders
      const held = [...(side?.held.get(BigInt(order.orderId))?.values() ?? [])]
      assert.deepEqual([order.committedBytes, held.length], [held.reduce((sum, size) => sum + size, 0), 1])
    }
  })

  test('a provider that signs for pieces that it does not list is told of', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world)
    await put(world, payer)
    await world.run(payer.orders.commitSets())
    const side = world.providers[0]!.orders!
    const [orderId, signed] = [...side.commitments.entries()][0]!
    side.commitments.set(orderId, { ...signed, providerSignature: signed.userSignature })
    const { orders } = payer.again()
    orders.start()
    assert.equal(await world.run(orders.commitSets()), false)
    const told = payer.faults.find(({ address }) => address === world.providers[0]!.address)
    assert.equal(told?.name, 'BadAnswerError')
    await world.run(orders.close())
  })
})

describe('reads that are paid', () => {
  test('what is read is paid to the byte, with few signatures', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world, { policy: { voucherStepBytes: 65_536 } })
    const bytes = randomBytes(3 * MIB)
    const { manifest } = await put(world, payer, bytes)
    for (let i = 0; i < 4; i++) {
      assert.deepEqual(await read(world, payer, manifest), new Uint8Array(bytes))
      await world.time.settle()
    }
    const { reads } = await world.run(payer.orders.status())
    assert.equal(reads.length, 4)
    for (const one of reads) {
      const side = world.providers.find(({ address }) => address === one.provider)?.orders
      assert.ok(one.signedBytes <= one.receivedBytes && one.receivedBytes - one.signedBytes < 2 * 65_536 + MIB)
      assert.ok(one.receivedBytes >= 4 * ((3 * MIB) / 4), 'everything that was read counts')
      assert.ok((side?.paid.get(BigInt(one.orderId)) ?? 0n) <= BigInt(one.signedBytes))
      assert.ok((side?.paid.get(BigInt(one.orderId)) ?? 0n) > 0n)
      assert.equal(one.priceAttoPerByte, READ_PRICE_ATTO)
    }
    assert.equal(payer.money.calls.filter((call) => call === 'allowReads').length, 4)
  })

  test('a provider that asks far more than the others is not paid for reads, though its price is below the limit', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world)
    const { manifest } = await put(world, payer)
    const { orders } = await world.run(payer.orders.status())
    const { provider: greedy, orderId } = orders[0]!
    const ask = (retrievalPriceAttoPerByte: bigint) =>
      world.chain.setAccount({ address: greedy, role: 'provider', retrievalPriceAttoPerByte })
    /** Whether a reader gets to a voucher. */
    const pays = async (): Promise<boolean> => {
      const book = payer.again().orders
      await world.run(book.status())
      const payment = book.reads(1_000).find(greedy, orderId)!
      return await world.run(payment.payMore(undefined, new AbortController().signal))
    }
    ask(8n * READ_PRICE_ATTO + 1n)
    assert.equal(await pays(), false)
    await read(world, payer, manifest)
    await world.time.settle()
    const { reads } = await world.run(payer.orders.status())
    assert.ok(reads.length > 0 && reads.every(({ priceAttoPerByte }) => priceAttoPerByte <= READ_PRICE_ATTO))
    ask(8n * READ_PRICE_ATTO)
    assert.equal(await pays(), true)
  })

  test('a book that closes pays for all that it read', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world)
    const { manifest } = await put(world, payer)
    await read(world, payer, manifest)
    const before = await world.run(payer.orders.status())
    await world.run(payer.orders.close())
    const { reads } = await world.run(payer.again().orders.status())
    assert.equal(reads.length, 4)
    for (const { orderId, provider, signedBytes, receivedBytes } of reads) {
      const side = world.providers.find(({ address }) => address === provider)?.orders
      assert.equal(receivedBytes, before.reads.find((one) => one.orderId === orderId)?.receivedBytes)
      assert.deepEqual([signedBytes, side?.paid.get(BigInt(orderId))], [receivedBytes, BigInt(receivedBytes)])
    }
  })

  test('a book that pays for its own orders alone pays nobody whom a stranger chose', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world, { policy: { paysForOthers: false } })
    const { manifest } = await put(world, payer)
    await read(world, payer, manifest)
    const { reads, orders } = await world.run(payer.orders.status())
    assert.equal(reads.length, 4)
    const account = payer.orders.reads(1_000)
    assert.ok(account.find(orders[0]!.provider, orders[0]!.orderId))
    assert.equal(account.find(world.providers[0]!.address, 77), undefined)
    const [first, second] = orders
    assert.equal(account.find(second!.provider, first!.orderId), undefined, 'nor one for what another serves')
    const stranger = createPayer(world)
    const foreign = stranger.orders.reads(1_000).find(second!.provider, first!.orderId)
    Object.assign(stranger.money, { findOrder: async (id: bigint) => payer.money.orders.get(id) })
    foreign?.received(1_000, { root: new Uint8Array(32), sizeBytes: 1_000 }, undefined)
    await world.time.settle()
    assert.equal(foreign?.voucher(), undefined)
    assert.deepEqual(
      stranger.money.calls.filter((call) => call === 'allowReads'),
      [],
    )
  })

  test('bytes that are not those of the piece are not paid', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world)
    const { manifest } = await put(world, payer, randomBytes(MIB))
    const liar = world.providers[0]!
    Object.assign(liar.faults, { corruptReads: true })
    await read(world, payer, manifest)
    const { reads } = await world.run(payer.orders.status())
    const paid = reads.find(({ provider }) => provider === liar.address)?.receivedBytes ?? 0
    assert.ok(paid <= 320, `${paid} bytes: unit nodes at the most`)
    assert.ok(reads.filter(({ provider }) => provider !== liar.address).every(({ receivedBytes }) => receivedBytes > 0))
  })

  test('a provider that serves nothing unpaid is shown a voucher, and again when its window is over', async () => {
    const world = createWorld({ providers: 4 })
    const payer = createPayer(world, { policy: { voucherStepBytes: 1 << 30 } })
    const bytes = randomBytes(2 * MIB)
    const stored = await world.run(
      payer.storage.put(bytes, { ...putOptions(world.did, world.owner), policy: 'rs:2+1' }),
    )
    for (const { orders } of world.providers) Object.assign(orders!.faults, { windowBytes: MIB + 200_000 })
    for (let i = 0; i < 3; i++) assert.deepEqual(await read(world, payer, stored.manifest), new Uint8Array(bytes))
    assert.equal(payer.faults.length + world.faults.length, 0)
  })

  test('small reads are handed over every two minutes, so that a process that is killed owes no more', async () => {
    const world = createWorld({ providers: 4 })
    const payer = createPayer(world)
    const options = { ...putOptions(world.did, world.owner), policy: 'rs:2+1' }
    const stored = await world.run(payer.storage.put(randomBytes(100_000), options))
    const handedOver = () =>
      Math.max(0, ...world.providers.flatMap(({ orders }) => [...orders!.paid.values()].map(Number)))
    for (let i = 0; i < 2; i++) await read(world, payer, stored.manifest) // the first locks money
    const before = handedOver()
    await read(world, payer, stored.manifest)
    assert.equal(handedOver(), before, 'not with every read')
    await world.time.advance(121_000)
    await read(world, payer, stored.manifest)
    await world.time.settle()
    const { reads } = await world.run(payer.orders.status())
    assert.ok(handedOver() > before + 50_000, `${before}, then ${handedOver()}`)
    assert.ok(handedOver() <= Math.max(...reads.map(({ receivedBytes }) => receivedBytes)))
  })

  test('one read pays for no more than it could need, whatever is asked of it', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world)
    await put(world, payer)
    payer.orders.start()
    const account = payer.orders.reads(1_000)
    const { orders } = await world.run(payer.orders.status())
    for (const { provider, orderId } of orders)
      account.find(provider, orderId)?.received(900, { root: new Uint8Array(32), sizeBytes: 900 }, undefined)
    await world.time.settle()
    const { reads } = await world.run(payer.orders.status())
    assert.equal(
      reads.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0),
      1_000,
    )
    await world.run(payer.orders.close())
  })
})

describe('the life of orders', () => {
  test('orders that hold something are renewed at half their term; empty ones end', async () => {
    const world = createWorld({ providers: 7 })
    const payer = createPayer(world, {
      policy: { termSeconds: 40_000, minTermSeconds: 40_000, minLeftSeconds: 10_000 },
    })
    await put(world, payer)
    const lease = await world.run(payer.orders.ensure(world.providers[6]!.address, 1, new AbortController().signal))
    lease.release()
    const ends = () => [...payer.money.orders.values()].map(({ end }) => end)
    const before = ends()
    await world.run(payer.orders.renewDue())
    assert.deepEqual(ends(), before, 'nothing is due yet')
    world.chain.setEpochs({ current: before[0]! - 300n })
    await world.run(payer.orders.renewDue())
    assert.ok(
      ends()
        .slice(0, 6)
        .every((end, i) => end > before[i]!),
    )
    assert.deepEqual(ends()[6], before[6])
    assert.equal(payer.events.filter(({ type }) => type === 'order-renewed').length, 6)
  })

  test('what cannot be renewed is warned of, and the escrow that is too small', async () => {
    const world = createWorld({ providers: 6 })
    const payer = createPayer(world)
    const stored = await put(world, payer)
    payer.money.freeAtto = 0n
    const [order] = [...payer.money.orders.values()]
    world.chain.setEpochs({ current: order!.end - 1_000n })
    await world.run(payer.orders.renewDue())
    await world.run(payer.orders.renewDue())
    const types = Map.groupBy(payer.events, ({ type }) => type)
    assert.equal(types.get('escrow-low')?.length, 1)
    assert.equal(types.get('order-ending')?.length, 6)
    const endsAt = Math.floor(world.time.clock.nowMs() / 1_000) + 60_000
    assert.equal(await world.run(payer.orders.findExpiry([1, 2])), endsAt)
    assert.equal(await world.run(payer.orders.findExpiry()), endsAt)
    const expiry = await world.run(payer.storage.findExpiry(stored.manifest, { owner: world.did }))
    assert.deepEqual([expiry?.expiresAt, expiry?.orderIds.length], [endsAt, 6])
  })
})
