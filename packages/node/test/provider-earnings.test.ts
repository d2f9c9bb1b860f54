import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MemoError, type OrderInfo, type SignedVoucher } from '@memo/core'
import { InjectedFaultError } from '@memo/core/testing'
import type { MoneyEvent, ProviderLimits, ProviderMoney } from '../src/index.ts'
import { scriptAllowance, scriptOrder, voucherOf } from './support/orders.ts'
import { createWorld, errorName, signedHeaders, store, type World } from './support/world.ts'

const HOUR_MS = 3_600_000
const ORDER = 5n
const READ_PRICE = 3n

/** Money on the scripted chain: one block for each event, and what was done. */
function createScriptedMoney(world: World) {
  const state = {
    /** By block. */
    events: [] as MoneyEvent[],
    fork: 0,
    settled: [] as bigint[],
    redeemed: [] as SignedVoucher[],
    pins: 0,
    fault: undefined as Error | undefined,
    redeemFault: undefined as Error | undefined,
    freeAtto: 0n,
    gasPriceWei: 0n,
    contracts: [] as string[],
    codeAsked: 0,
  }
  const check = () => {
    if (state.fault) throw state.fault
  }
  const hashOf = (block: number) => `${state.fork}/${block}`
  const money: ProviderMoney = {
    stands: async (mark) => mark.hash === hashOf(mark.block),
    async readEvents(after) {
      check()
      const from = after?.block ?? 0
      const events = state.events.slice(from, from + 2)
      const block = from + events.length
      return { events, mark: { block, hash: hashOf(block) }, isLast: block === state.events.length }
    },
    getEpochs: () => world.chain.getEpochs(),
    async settleOrder(orderId) {
      check()
      const order = (await world.chain.findOrder(orderId)) as OrderInfo
      const { closedBefore } = await world.chain.getEpochs()
      const isOver = order.end <= closedBefore
      const settledTo = isOver ? order.end : closedBefore
      const incomeAtto = (order.segments[0]?.incomePerEpochAtto ?? 0n) * (settledTo - order.settledTo)
      world.chain.setOrder(orderId, { ...order, settledTo })
      state.settled.push(orderId)
      state.events.push({ type: 'order-settled', orderId, incomeAtto })
      state.freeAtto += incomeAtto
    },
    async pinEpoch() {
      check()
      state.pins++
    },
    async redeemReads(signed) {
      check()
      if (state.redeemFault) throw state.redeemFault
      const { orderId, payer, bytesRead } = signed.voucher
      const allowance = await world.chain.getReadAllowance(orderId, payer)
      const amountAtto = (bytesRead - allowance.bytesPaid) * allowance.priceAttoPerByte
      world.chain.setReadAllowance(orderId, payer, { ...allowance, bytesPaid: bytesRead })
      state.redeemed.push(signed)
      state.events.push({ type: 'reads-paid', orderId, amountAtto })
      state.freeAtto += amountAtto
    },
    getBlockNumber: async () => (await world.chain.getBlock()).number,
    getGasPriceWei: async () => state.gasPriceWei,
    async isContract(account) {
      check()
      state.codeAsked++
      return state.contracts.includes(account)
    },
    getFreeEscrowAtto: async () => state.freeAtto,
  }
  return { state, money }
}

async function startedProvider(limits: Partial<ProviderLimits> = {}) {
  const world = createWorld('earnings')
  const { state, money } = createScriptedMoney(world)
  const provider = world.provider('a', {
    money,
    limits: {
      settleThresholdAtto: 0n,
      settleRestMs: HOUR_MS,
      voucherFlushMs: HOUR_MS,
      orderSweepRestMs: HOUR_MS,
      ...limits,
    },
  })
  await provider.start()
  const user = world.user('alice')
  const open = (orderId = ORDER, options: Partial<Parameters<typeof scriptOrder>[2]> = {}) => {
    scriptOrder(world, orderId, { user: user.address, provider: provider.signer.address, ...options })
    state.events.push({ type: 'order-opened', orderId })
  }
  world.chain.setEpochs({ current: 1n, closedBefore: 0n })
  open()
  scriptAllowance(world, ORDER, user.address, { priceAttoPerByte: READ_PRICE })
  const client = provider.client(user)
  const piece = await store(client, world, world.random.bytes(10), Number(ORDER))
  /** Reads a little and pays for `bytesRead` in all. */
  const pay = async (bytesRead: number, by = user) => {
    await client.readUnits(piece.root, piece.sizeBytes, { voucher: await voucherOf(by, ORDER, bytesRead) })
  }
  const operator = provider.client(provider.signer)
  return { world, state, provider, user, open, pay, operator, client, piece }
}

describe('a provider', () => {
  test('settles when enough epochs are beyond dispute, or all that are left, and never asks twice', async () => {
    const { world, state, open } = await startedProvider({ settleEveryEpochs: 10 })
    open(6n, { end: 8n })
    world.chain.setEpochs({ current: 11n, closedBefore: 10n })
    await world.time.advance(HOUR_MS + 1)
    assert.deepEqual(state.settled, [6n], 'order 5 has 9 epochs only')
    world.chain.setEpochs({ current: 13n, closedBefore: 11n })
    await world.time.advance(HOUR_MS)
    assert.deepEqual(state.settled, [6n, 5n])
    await world.time.advance(20 * HOUR_MS)
    assert.deepEqual(state.settled, [6n, 5n])
  })

  test('settles no dust before the end of an order', async () => {
    const { world, state, open } = await startedProvider({ settleEveryEpochs: 1, settleThresholdAtto: 5_000n })
    open(6n, { end: 40n })
    world.chain.setEpochs({ current: 40n, closedBefore: 39n })
    await world.time.advance(2 * HOUR_MS)
    assert.deepEqual(state.settled, [])
    world.chain.setEpochs({ current: 42n, closedBefore: 41n })
    await world.time.advance(2 * HOUR_MS)
    assert.deepEqual(state.settled, [6n])
    world.chain.setEpochs({ current: 60n, closedBefore: 51n })
    await world.time.advance(2 * HOUR_MS)
    assert.deepEqual(state.settled, [6n, 5n])
  })

  test('pins epochs where none closes otherwise', async () => {
    const { world, state } = await startedProvider({ settleEveryEpochs: 10 })
    world.chain.setEpochs({ current: 30n, closedBefore: 0n })
    await world.time.advance(5 * HOUR_MS)
    assert.equal(state.pins, 1)
    world.chain.setEpochs({ current: 41n, closedBefore: 0n })
    await world.time.advance(5 * HOUR_MS)
    assert.equal(state.pins, 2)
    assert.deepEqual(state.settled, [])
  })

  test('redeems a voucher that is worth it, or old, or whose payer leaves, and the newest alone', async () => {
    const { world, state, pay, user } = await startedProvider({
      redeemThresholdAtto: 30_000n,
      redeemAgeMs: 10 * HOUR_MS,
    })
    await pay(1_000)
    await pay(9_999)
    await world.time.advance(2 * HOUR_MS)
    assert.equal(state.redeemed.length, 0)
    await pay(10_000)
    await world.time.advance(HOUR_MS)
    assert.deepEqual(
      state.redeemed.map(({ voucher }) => voucher.bytesRead),
      [10_000n],
    )
    await pay(10_001)
    await world.time.advance(9 * HOUR_MS)
    assert.equal(state.redeemed.length, 1)
    await world.time.advance(2 * HOUR_MS)
    assert.equal(state.redeemed.length, 2, 'it was old')
    await pay(10_002)
    const leaving = { priceAttoPerByte: READ_PRICE, bytesPaid: 10_001n, closingAt: 9n, closingBlock: 9n }
    scriptAllowance(world, ORDER, user.address, leaving)
    state.events.push({ type: 'reads-closing', orderId: ORDER, payer: user.address })
    await world.time.advance(HOUR_MS)
    assert.equal(state.redeemed.length, 3)
    await world.time.advance(30 * HOUR_MS)
    assert.equal(state.redeemed.length, 3)
  })

  test('knows after a crash who takes his money back, and redeems what he owes', async () => {
    const { world, state, provider, pay, user } = await startedProvider()
    await pay(1_000)
    scriptAllowance(world, ORDER, user.address, { priceAttoPerByte: READ_PRICE, closingAt: 9n, closingBlock: 9n })
    state.events.push({ type: 'reads-closing', orderId: ORDER, payer: user.address })
    state.events.push({ type: 'reads-closing', orderId: 77n, payer: user.address })
    state.redeemFault = new InjectedFaultError('no gas')
    await world.time.advance(HOUR_MS + 1_000)
    provider.crash()
    await provider.start()
    state.redeemFault = undefined
    await world.time.advance(HOUR_MS + 1_000)
    assert.deepEqual(
      state.redeemed.map(({ voucher }) => voucher.bytesRead),
      [1_000n],
    )
  })

  test('redeems before it stops, and after a crash what was durable', async () => {
    const { world, state, provider, pay } = await startedProvider()
    await pay(1_000)
    await provider.stop()
    assert.deepEqual(
      state.redeemed.map(({ voucher }) => voucher.bytesRead),
      [1_000n],
    )
    await provider.start()
    await pay(2_000)
    await world.time.advance(HOUR_MS)
    provider.crash()
    await provider.start()
    await provider.stop()
    assert.deepEqual(
      state.redeemed.map(({ voucher }) => voucher.bytesRead),
      [1_000n, 2_000n],
    )
  })

  test('drops vouchers of an allowance that was closed', async () => {
    const { world, state, provider, pay, user, operator } = await startedProvider()
    await pay(1_000)
    scriptAllowance(world, ORDER, user.address, { seq: 1n, priceAttoPerByte: READ_PRICE })
    await world.time.advance(HOUR_MS)
    assert.equal((await operator.earnings({ settle: true })).reading.vouchers, 0)
    await provider.stop()
    assert.deepEqual(state.redeemed, [])
  })

  test('presents a voucher again when the chain drops its payment, until that lies deep', async () => {
    const { world, state, provider, pay, user } = await startedProvider({
      redeemThresholdAtto: 1n,
      paymentDepthBlocks: 9_000,
    })
    const drop = () => scriptAllowance(world, ORDER, user.address, { priceAttoPerByte: READ_PRICE })
    const redeemed = () => state.redeemed.map(({ voucher }) => Number(voucher.bytesRead))
    await pay(1_000)
    await world.time.advance(HOUR_MS)
    assert.deepEqual(redeemed(), [1_000])
    // A block of a second each: an hour is 3,600. The mark of what was read still stands.
    drop()
    await world.time.advance(HOUR_MS)
    assert.deepEqual(redeemed(), [1_000, 1_000])
    provider.crash()
    await provider.start()
    drop()
    await world.time.advance(HOUR_MS + 1_000)
    assert.deepEqual(redeemed(), [1_000, 1_000, 1_000], 'also over a crash')
    await world.time.advance(10 * HOUR_MS)
    assert.equal(state.redeemed.length, 3, 'what is paid is not presented')
    drop()
    await world.time.advance(5 * HOUR_MS)
    assert.equal(state.redeemed.length, 3, 'nothing asks for what lies deep')
    state.fork++
    await world.time.advance(HOUR_MS)
    assert.equal(state.redeemed.length, 4, 'but where the chain is seen to have rewound')
  })

  test('keeps a voucher whose allowance was closed until that lies deep', async () => {
    const { world, state, pay, user, operator } = await startedProvider({
      redeemThresholdAtto: 1n,
      paymentDepthBlocks: 9_000,
    })
    await pay(1_000)
    scriptAllowance(world, ORDER, user.address, { seq: 1n, priceAttoPerByte: READ_PRICE })
    await world.time.advance(HOUR_MS)
    assert.deepEqual([(await operator.earnings()).reading.vouchers, state.redeemed.length], [0, 0])
    scriptAllowance(world, ORDER, user.address, { priceAttoPerByte: READ_PRICE })
    await world.time.advance(HOUR_MS)
    assert.equal(state.redeemed.length, 1, 'the chain took the closing back')
    scriptAllowance(world, ORDER, user.address, { seq: 1n, priceAttoPerByte: READ_PRICE })
    state.fork++
    await world.time.advance(5 * HOUR_MS)
    scriptAllowance(world, ORDER, user.address, { priceAttoPerByte: READ_PRICE })
    state.fork++
    await world.time.advance(5 * HOUR_MS)
    assert.equal(state.redeemed.length, 1, 'it was dropped')
  })

  test('lets dust wait until it is worth its gas several times, and never pays more for gas than it gets', async () => {
    const { world, state, provider, pay, user, operator } = await startedProvider({
      redeemThresholdAtto: 1n,
      redeemAgeMs: HOUR_MS,
      redeemGasTimes: 4,
    })
    const gas = 95_000n
    state.gasPriceWei = 1n
    const enough = Number((4n * gas + READ_PRICE - 1n) / READ_PRICE)
    await pay(enough - 1)
    await world.time.advance(30 * HOUR_MS)
    assert.equal(state.redeemed.length, 0)
    await pay(enough)
    await world.time.advance(HOUR_MS)
    assert.equal(state.redeemed.length, 1)
    // Who leaves, and the operator, need only what the transaction costs.
    const last = Number((gas + READ_PRICE - 1n) / READ_PRICE)
    await pay(enough + last - 1)
    await operator.earnings({ settle: true })
    const closing = { priceAttoPerByte: READ_PRICE, closingAt: 9n, closingBlock: 9n, bytesPaid: BigInt(enough) }
    scriptAllowance(world, ORDER, user.address, closing)
    state.events.push({ type: 'reads-closing', orderId: ORDER, payer: user.address })
    await world.time.advance(2 * HOUR_MS)
    await provider.stop()
    assert.equal(state.redeemed.length, 1, 'not at a loss')
    await provider.start()
    state.gasPriceWei = 0n
    await world.time.advance(HOUR_MS + 1_000)
    assert.equal(state.redeemed.length, 2, 'gas has become cheap')
  })

  test('tells a payer that is a contract why nothing is served against its signature', async () => {
    const { world, state, client, piece, user } = await startedProvider({ contractChecksPerHour: 10 })
    const wallet = world.stranger('wallet').address
    const refusal = async (changes: Parameters<typeof voucherOf>[3], longer = 0): Promise<unknown> => {
      const text = await voucherOf(user, ORDER, 100, changes)
      const json = JSON.parse(Buffer.from(text, 'base64url').toString())
      const voucher = Buffer.from(JSON.stringify({ ...json, signature: json.signature + '00'.repeat(longer) }))
      const options = { voucher: voucher.toString('base64url') }
      const thrown = await client.readUnits(piece.root, piece.sizeBytes, options).catch((error: unknown) => error)
      assert.ok(thrown instanceof MemoError && thrown.name === 'PaymentRequiredError', `${thrown}`)
      return thrown.details.reason
    }
    assert.equal(await refusal({ payer: wallet }), 'voucher')
    state.contracts.push(wallet)
    assert.equal(await refusal({ payer: wallet }), 'contract')
    assert.equal(await refusal({ payer: wallet }, 130), 'contract')
    assert.equal(await refusal({}, 1), 'voucher', 'a longer signature of a key')
    state.fault = new MemoError('silent', { blame: 'chain', retry: 'later' })
    assert.equal(await refusal({ payer: wallet }), 'voucher', 'refused while the chain is silent as well')
    state.fault = undefined
    for (let i = 0; i < 20; i++) await refusal({ payer: wallet })
    assert.ok(state.codeAsked <= 10, `strangers make it ask the chain ${state.codeAsked} times only`)
    assert.equal(await refusal({ payer: wallet }), 'voucher')
  })

  test('goes on when the chain fails it, and says so', async () => {
    const { world, state, provider, pay } = await startedProvider({ settleEveryEpochs: 1, redeemThresholdAtto: 1n })
    await pay(1_000)
    world.chain.setEpochs({ current: 11n, closedBefore: 10n })
    state.fault = new MemoError('no gas', { blame: 'user', retry: 'later' })
    await world.time.advance(3 * HOUR_MS)
    assert.deepEqual([state.settled.length, state.redeemed.length], [0, 0])
    assert.ok(provider.events.some(({ type, level }) => /failed/.test(type) && level === 'warn'))
    state.fault = undefined
    await world.time.advance(HOUR_MS)
    assert.deepEqual([state.settled.length, state.redeemed.length], [1, 1])
    state.fault = new InjectedFaultError('gone')
    await pay(3_000)
    await provider.stop()
    assert.ok(provider.events.some(({ type }) => type === 'collecting-failed'))
  })
})

describe('what a provider has earned', () => {
  test('agrees with the events of its own orders alone, once each, over crashes and a chain that rewinds', async () => {
    const { world, state, provider, operator, pay } = await startedProvider({ settleEveryEpochs: 1 })
    state.events.push({ type: 'order-settled', orderId: 77n, incomeAtto: 10n ** 20n })
    state.events.push({ type: 'reads-paid', orderId: 77n, amountAtto: 10n ** 20n })
    world.chain.setEpochs({ current: 12n, closedBefore: 10n })
    const waiting = await operator.earnings()
    assert.deepEqual(waiting.storing, { settledAtto: 0n, waitingAtto: 1_100n, orders: 1 })
    await pay(500)
    const collected = await operator.earnings({ settle: true })
    assert.deepEqual(collected.storing, { settledAtto: 900n, waitingAtto: 200n, orders: 1 })
    assert.deepEqual(collected.reading, { redeemedAtto: 1_500n, heldAtto: 0n, vouchers: 0 })
    assert.equal(collected.escrowFreeAtto, 2_400n)
    await pay(600)
    for (let i = 0; i < 2; i++) {
      await world.time.advance(HOUR_MS)
      provider.crash()
      await provider.start()
      const again = await operator.earnings()
      assert.deepEqual(again.storing, collected.storing)
      assert.deepEqual(again.reading, { redeemedAtto: 1_500n, heldAtto: 300n, vouchers: 1 })
    }
    state.fork++
    state.events = state.events.filter(({ type }) => type !== 'reads-paid')
    const rewound = await operator.earnings()
    assert.deepEqual(rewound.storing, collected.storing)
    assert.equal(rewound.reading.redeemedAtto, 0n)
    assert.equal(rewound.block, state.events.length)
  })

  test('is told to its own key alone', async () => {
    const { world, provider, client } = await startedProvider()
    await assert.rejects(client.earnings(), { name: 'ForbiddenError' })
    await assert.rejects(client.earnings({ settle: true }), { name: 'ForbiddenError' })
    assert.equal(errorName(await provider.raw({ url: '/earnings' })), 'UnauthorizedError')
    const request = { method: 'GET', path: '/earnings', body: new Uint8Array(0) }
    const headers = await signedHeaders(world, provider.signer, world.stranger('x').address, request)
    assert.equal(errorName(await provider.raw({ url: '/earnings', headers })), 'UnauthorizedError')
  })
})
