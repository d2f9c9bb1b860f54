import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type AmendmentTerms,
  amendmentDigest,
  findSignerAddress,
  hex32,
  type OrderTerms,
  orderDigest,
  ordersVerifierOf,
  RECEIPT_LIFE_SECONDS,
} from '@memo/core'
import { TEST_MONEY } from '@memo/core/testing'
import type { ProviderLimits } from '../src/index.ts'
import { nowOf } from './support/entries.ts'
import { PRICE, scriptOrder } from './support/orders.ts'
import { createWorld, errorName, inChunks, signedHeaders, store } from './support/world.ts'

const CAPACITY = 10_000_000

async function startedProvider(limits: Partial<ProviderLimits> = {}, capacityBytes = CAPACITY) {
  const world = createWorld('orders')
  const provider = world.provider('a', { capacityBytes, limits })
  await provider.start()
  const { address } = provider.signer
  const prices = { storagePriceAttoPerGiBSecond: PRICE, retrievalPriceAttoPerByte: 3n }
  world.chain.setAccount({ address, role: 'provider', ...prices })
  const user = world.user('alice')
  const client = provider.client(user)
  const open = (orderId: bigint, options: Partial<Parameters<typeof scriptOrder>[2]> = {}) =>
    scriptOrder(world, orderId, { user: user.address, provider: address, ...options })
  const upload = async (bytes: Uint8Array, orderId: number, maxBytes = bytes.length) =>
    await client.upload(world.random.bytes(32), inChunks(bytes), { maxBytes, orderId })
  return { world, provider, address, user, client, open, upload }
}

const refusedFor = (reason: string) => (error: Error & { details?: Record<string, unknown> }) =>
  error.name === 'OrderRefusedError' && error.details?.reason === reason

describe('a provider agrees', () => {
  const termsOf = async (at: Awaited<ReturnType<typeof startedProvider>>): Promise<OrderTerms> => {
    const { current } = await at.world.chain.getEpochs()
    return {
      user: at.user.address,
      provider: at.address,
      nonce: 7n,
      sizeBytes: 1_000_000n,
      priceAttoPerGiBSecond: PRICE,
      start: current + 1n,
      end: current + 100n,
      submitBy: BigInt(nowOf(at.world) + 600),
    }
  }

  test('to an order at its price, and its signature is the one that the contract reads', async () => {
    const at = await startedProvider()
    const terms = await termsOf(at)
    const quote = await at.client.quote()
    assert.deepEqual(
      { ...quote, maxOrderEpochs: 0 },
      {
        provider: at.address,
        priceAttoPerGiBSecond: PRICE,
        retrievalPriceAttoPerByte: 3n,
        freeBytes: CAPACITY,
        maxOrderEpochs: 0,
        readWindowBytes: 64 * 1_048_576,
      },
    )
    assert.equal(quote.maxOrderEpochs, (365 * 86_400) / 60)
    const signature = await at.client.signOrder(terms)
    assert.equal(findSignerAddress(orderDigest(ordersVerifierOf(TEST_MONEY), terms), signature), at.address)
  })

  test('to nothing under its price, beyond its room, too long, too late or too early', async () => {
    const at = await startedProvider()
    const terms = await termsOf(at)
    const now = BigInt(nowOf(at.world))
    const cases: [string, Partial<OrderTerms>][] = [
      ['price', { priceAttoPerGiBSecond: PRICE - 1n }],
      ['no-room', { sizeBytes: BigInt(CAPACITY + 1) }],
      ['no-room', { sizeBytes: 2n ** 64n - 1n }],
      ['too-small', { sizeBytes: 0n }],
      ['length', { end: terms.start }],
      ['length', { end: 2n ** 63n }],
      ['length', { start: terms.start + 50n }],
      ['submit-by', { submitBy: now }],
      ['submit-by', { submitBy: now + 700n }],
    ]
    for (const [reason, change] of cases) {
      await assert.rejects(
        at.client.signOrder({ ...terms, ...change }),
        refusedFor(reason),
        `${reason} ${JSON.stringify(Object.keys(change))}`,
      )
    }
    const body = (json: unknown) => Buffer.from(JSON.stringify(json))
    const post = async (json: unknown, signer = at.user) => {
      const request = { method: 'POST', path: '/orders', body: body(json) }
      const headers = await signedHeaders(at.world, signer, at.address, request)
      return await at.provider.raw({ method: 'POST', url: '/orders', headers, body: request.body })
    }
    const texts = Object.fromEntries(Object.entries(terms).map(([name, value]) => [name, `${value}`]))
    assert.equal((await post({ terms: texts })).status, 200)
    const other = `0x${'ee'.repeat(20)}`
    assert.equal(errorName(await post({ terms: { ...texts, provider: other } })), 'OrderRefusedError')
    for (const bent of [
      null,
      [],
      'x',
      { terms: null },
      { terms: { ...texts, nonce: 7 } },
      { terms: { ...texts, nonce: '-1' } },
      { terms: { ...texts, nonce: '01' } },
      { terms: { ...texts, nonce: '1e3' } },
      { terms: { ...texts, sizeBytes: `${2n ** 64n}` } },
      { terms: { ...texts, provider: 'me' } },
      { terms: { ...texts, priceAttoPerGiBSecond: '9'.repeat(100) } },
    ]) {
      assert.equal(errorName(await post(bent)), 'BadInputError', JSON.stringify(bent))
    }
    assert.equal(errorName(await post({ terms: texts }, at.world.stranger('eve'))), 'ForbiddenError')
    at.world.chain.setAccount({ address: at.address, role: 'provider', state: 'suspended' })
    await assert.rejects(at.client.signOrder(terms), { name: 'NotServingError' })
  })

  test('to a change of an order by its user, once, and not to less than is held', async () => {
    const at = await startedProvider()
    at.open(5n, { sizeBytes: 500_000n })
    await store(at.client, at.world, at.world.random.bytes(200_000), 5)
    const { current } = await at.world.chain.getEpochs()
    const terms: AmendmentTerms = {
      orderId: 5n,
      seq: 1n,
      sizeBytes: 900_000n,
      priceAttoPerGiBSecond: PRICE,
      end: current + 500n,
      submitBy: BigInt(nowOf(at.world) + 600),
    }
    const signature = await at.client.signAmendment(terms)
    assert.equal(findSignerAddress(amendmentDigest(ordersVerifierOf(TEST_MONEY), terms), signature), at.address)
    await at.client.signAmendment({ ...terms, sizeBytes: 200_000n })
    await assert.rejects(at.client.signAmendment({ ...terms, sizeBytes: 199_999n }), refusedFor('too-small'))
    await assert.rejects(at.client.signAmendment({ ...terms, sizeBytes: BigInt(CAPACITY + 1) }), refusedFor('no-room'))
    await at.client.signAmendment({ ...terms, sizeBytes: BigInt(CAPACITY) })
    await assert.rejects(at.client.signAmendment({ ...terms, orderId: 6n }), refusedFor('unknown-order'))
    const bob = at.provider.client(at.world.user('bob'))
    await assert.rejects(bob.signAmendment(terms), refusedFor('other-user'))
    at.open(5n, { sizeBytes: 900_000n, seq: 2n })
    await assert.rejects(at.client.signAmendment(terms), refusedFor('stale'), 'a change is good once')
    await at.client.signAmendment({ ...terms, seq: 2n })
    at.world.chain.setEpochs({ current: 10_000n })
    await assert.rejects(at.client.signAmendment({ ...terms, seq: 2n, end: 10_500n }), refusedFor('over'))
  })
})

describe('under an order', () => {
  test('a receipt names the order and runs to its estimated end, a year at the most', async () => {
    const { world, client, open } = await startedProvider()
    const { current } = await world.chain.getEpochs()
    open(5n, { end: current + 100n })
    open(6n, { end: current + 10n ** 9n })
    const { receipt } = await store(client, world, world.random.bytes(1_000), 5)
    assert.equal(receipt.orderId, 5)
    assert.equal(receipt.expiry, nowOf(world) + 100 * 60)
    assert.equal(
      (await store(client, world, world.random.bytes(1_000), 6)).receipt.expiry,
      nowOf(world) + RECEIPT_LIFE_SECONDS,
    )
  })

  test('there is as much room as the user bought, uploads under way included', async () => {
    const { world, client, open, upload } = await startedProvider()
    open(5n, { sizeBytes: 10_000n })
    const kept = await store(client, world, world.random.bytes(6_000), 5)
    const sent = await upload(world.random.bytes(1_000), 5, 4_000)
    assert.equal(sent.sizeBytes, 1_000)
    await assert.rejects(
      upload(world.random.bytes(10), 5, 3_001),
      refusedFor('too-small'),
      'what arrived stays reserved',
    )
    await upload(world.random.bytes(3_000), 5)
    await assert.rejects(upload(world.random.bytes(1), 5), refusedFor('too-small'))
    assert.equal(await client.delete(kept.root), true)
    await upload(world.random.bytes(6_000), 5)
    await assert.rejects(
      upload(world.random.bytes(1), 5),
      refusedFor('too-small'),
      'space of a piece that was given up is free at once',
    )
    open(5n, { sizeBytes: 20_000n })
    await upload(world.random.bytes(10_000), 5)
  })

  test('a piece counts once, however often it is sent, and for each order that it is under', async () => {
    const { world, client, open, upload } = await startedProvider()
    open(5n, { sizeBytes: 10_000n })
    open(6n, { sizeBytes: 10_000n })
    const bytes = world.random.bytes(4_000)
    for (let i = 0; i < 3; i++) await store(client, world, bytes, 5)
    await store(client, world, bytes, 6)
    await upload(world.random.bytes(6_000), 5)
    await upload(world.random.bytes(6_000), 6)
    await assert.rejects(upload(world.random.bytes(1), 5), refusedFor('too-small'))
  })

  test('nothing is taken for another user, from another provider’s order, or when it is over', async () => {
    const { world, provider, upload, open } = await startedProvider()
    const bytes = world.random.bytes(100)
    await assert.rejects(upload(bytes, 5), refusedFor('unknown-order'))
    open(5n, { user: world.user('bob').address })
    await assert.rejects(upload(bytes, 5), refusedFor('other-user'))
    open(6n, { provider: world.stranger('p').address })
    await assert.rejects(upload(bytes, 6), refusedFor('other-provider'))
    const { current } = await world.chain.getEpochs()
    open(7n, { end: current + 1n })
    await assert.rejects(upload(bytes, 7), refusedFor('over'), 'over by the next epoch')
    open(7n, { end: current + 2n })
    await upload(bytes, 7)
    assert.deepEqual(provider.disk.pieceRoots(), [])
  })

  test('an order that was opened or grown after it was asked for is seen at once', async () => {
    const { world, open, upload } = await startedProvider()
    const bytes = world.random.bytes(2_000)
    await assert.rejects(upload(bytes, 5), refusedFor('unknown-order'))
    open(5n, { sizeBytes: 1_000n })
    await assert.rejects(upload(bytes, 5), refusedFor('too-small'))
    open(5n, { sizeBytes: 2_000n })
    await upload(bytes, 5)
  })

  test('an order that this provider’s chain does not show yet is waited for', async () => {
    const { world, open, upload, client } = await startedProvider({ orderWaitMs: 3_000 })
    const bytes = world.random.bytes(2_000)
    const early = upload(bytes, 5)
    await world.time.advance(1_000)
    open(5n, { sizeBytes: 2_000n })
    await world.time.run(early)
    const larger = upload(world.random.bytes(3_000), 5)
    await world.time.advance(1_000)
    open(5n, { sizeBytes: 5_000n })
    await world.time.run(larger)
    await assert.rejects(world.time.run(upload(bytes, 5)), refusedFor('too-small'))
    open(6n, { user: world.user('bob').address })
    await assert.rejects(upload(bytes, 6), refusedFor('other-user'), 'at once')
    assert.equal((await client.info()).pieces, 0)
  })

  test('an upload whose order ends before its commit gets no receipt', async () => {
    const { world, client, open } = await startedProvider()
    const { current } = await world.chain.getEpochs()
    open(5n, { end: current + 3n })
    const id = world.random.bytes(32)
    const bytes = world.random.bytes(100)
    const sent = await client.upload(id, bytes, { maxBytes: 100, orderId: 5 })
    world.chain.setEpochs({ current: current + 3n })
    await assert.rejects(client.commit(id, sent), refusedFor('over'))
  })
})

describe('without an order', () => {
  test('an account has a budget, and what it pays for later does not count against it', async () => {
    const { world, provider, client, open, upload } = await startedProvider({ unpaidBytesPerAccount: 5_000 })
    const bytes = world.random.bytes(4_000)
    await store(client, world, bytes)
    await assert.rejects(upload(world.random.bytes(1_001), 0), (error: Error & { details: unknown }) => {
      assert.deepEqual(error.details, {
        reason: 'unpaid',
        orderId: 0,
        sizeBytes: 5_000,
        usedBytes: 4_000,
        neededBytes: 1_001,
      })
      return error.name === 'OrderRefusedError'
    })
    await store(provider.client(world.user('bob')), world, world.random.bytes(5_000))
    open(5n)
    await store(client, world, bytes, 5)
    const unpaid = await store(client, world, world.random.bytes(5_000))
    await client.delete(unpaid.root)
    await store(client, world, world.random.bytes(5_000))
    provider.crash()
    await provider.start()
    await assert.rejects(upload(world.random.bytes(1), 0), refusedFor('unpaid'), 'what is held counts after a restart')
  })

  test('room that is sold is kept free for those who bought it', async () => {
    const { world, client, open, upload } = await startedProvider({}, 10_000)
    open(5n, { sizeBytes: 8_000n })
    assert.equal((await client.quote()).freeBytes, 2_000)
    await store(client, world, world.random.bytes(3_000), 5)
    assert.equal((await client.quote()).freeBytes, 2_000, 'what is used was sold before')
    await assert.rejects(upload(world.random.bytes(2_001), 0), { name: 'NoSpaceError' })
    await upload(world.random.bytes(2_000), 0)
    await upload(world.random.bytes(5_000), 5)
  })
})

test('a provider that has sold all its room takes a piece in place of one that was given up', async () => {
  const { world, client, open, upload } = await startedProvider({}, 10_000)
  open(5n, { sizeBytes: 10_000n })
  const { root } = await store(client, world, world.random.bytes(9_000), 5)
  await client.delete(root)
  await upload(world.random.bytes(10_000), 5)
  await assert.rejects(upload(world.random.bytes(1), 0), { name: 'NoSpaceError' })
})

test('thousands of orders of one user are kept apart', async () => {
  const { world, provider, client, open } = await startedProvider()
  const bytes = world.random.bytes(100)
  for (let i = 1; i <= 2_000; i++) open(BigInt(i), { sizeBytes: 100n })
  for (let i = 1; i <= 200; i++) await store(client, world, i % 2 ? bytes : world.random.bytes(100), 10 * i)
  const pages = await client.listOrderPieces(1_000n)
  assert.equal(pages.length, 1)
  assert.equal(await client.delete(pages[0]!.root), true)
  assert.equal((await client.listOrderPieces(1_000n)).length, 0)
  assert.equal((await client.listOrderPieces(990n)).length, 1)
  assert.ok(provider.disk.pieceRoots().includes(hex32(pages[0]!.root)), 'until nobody can dispute it')
})
