import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  createSetTree,
  findCommitmentHead,
  findSignerAddress,
  hex32,
  hexFromBytes,
  MAX_SET_CHANGES,
  ordersVerifierOf,
  RemoteError,
  setCommitmentDigest,
} from '@memo/core'
import { InjectedFaultError, TEST_MONEY } from '@memo/core/testing'
import type { ProviderLimits } from '../src/index.ts'
import { createBook, scriptOrder } from './support/orders.ts'
import { createWorld, errorName, type Stored, signedHeaders, store } from './support/world.ts'

const MINUTE_MS = 60_000
const ORDER = 5n

async function startedProvider(limits: Partial<ProviderLimits> = {}) {
  const world = createWorld('commitments')
  const provider = world.provider('a', { limits })
  await provider.start()
  const { address } = provider.signer
  const user = world.user('alice')
  const client = provider.client(user)
  const open = (orderId = ORDER, options: Partial<Parameters<typeof scriptOrder>[2]> = {}) =>
    scriptOrder(world, orderId, { user: user.address, provider: address, ...options })
  open()
  const book = createBook(world, user, ORDER)
  const put = async (sizeBytes = 1_000, orderId = ORDER) =>
    await store(client, world, world.random.bytes(sizeBytes), Number(orderId))
  const commit = async (added: readonly Stored[], removed: readonly Stored[] = []) => {
    const change = { added, removed: removed.map(({ root }) => root) }
    const cosigned = await client.commitSet(await book.draft(change))
    book.accept(change)
    return cosigned
  }
  const isThere = ({ root }: Stored) => provider.disk.pieceRoots().includes(hex32(root))
  return { world, provider, address, user, client, open, book, put, commit, isThere }
}

const mismatch = (seq: bigint) => (error: Error) => {
  if (error.name !== 'CommitmentMismatchError') throw error
  return error instanceof RemoteError && findCommitmentHead(error.details)?.seq === seq
}

describe('a set commitment', () => {
  test('is signed by both over what both have, and is there for everybody afterwards', async () => {
    const { provider, address, user, client, book, put, commit } = await startedProvider()
    assert.equal(await client.getCommitment(ORDER), undefined)
    const [a, b, c] = [await put(), await put(2_000), await put(3_000)]
    const first = await commit([a!, b!])
    assert.equal(first.commitment.usedBytes, 3_000n)
    const digest = setCommitmentDigest(ordersVerifierOf(TEST_MONEY), first.commitment)
    assert.equal(findSignerAddress(digest, first.providerSignature), address)
    await commit([c!], [a!])
    const newest = await provider.client().getCommitment(ORDER)
    assert.equal(newest?.user, user.address)
    assert.equal(newest?.commitment.seq, 2n)
    assert.deepEqual(newest?.commitment.setRoot, book.tree.setRoot)
    const listed = await client.listOrderPieces(ORDER)
    const expected = [a!, b!, c!].map(({ root, sizeBytes }) => ({
      root: hex32(root),
      sizeBytes,
      committed: root !== a!.root,
    }))
    assert.deepEqual(
      listed.map((piece) => ({ ...piece, root: hex32(piece.root) })),
      expected.sort((x, y) => (x.root < y.root ? -1 : 1)),
    )
  })

  test('is answered alike when it is sent again, also after a crash, and by nothing else under its number', async () => {
    const { provider, client, book, put, commit, world } = await startedProvider()
    const [a, b] = [await put(), await put()]
    const request = await book.draft({ added: [a!] })
    const cosigned = await client.commitSet(request)
    assert.deepEqual(await client.commitSet(request), cosigned)
    provider.crash()
    await provider.start()
    assert.deepEqual(await client.commitSet(request), cosigned)
    await assert.rejects(client.commitSet(await book.draft({ added: [b!] })), mismatch(1n), 'a stale number')
    book.accept({ added: [a!], removed: [] })
    await assert.rejects(client.commitSet(await book.draft({ added: [b!] }, { seq: 3n })), mismatch(1n), 'a gap')
    await commit([b!])
    await assert.rejects(client.commitSet(request), mismatch(2n), 'an old one')
    const lost = createBook(world, world.user('alice'), ORDER)
    await assert.rejects(client.commitSet(await lost.draft({ added: [a!] })), (error: RemoteError) => {
      assert.deepEqual(findCommitmentHead(error.details)?.setRoot, book.tree.setRoot)
      return true
    })
  })

  test('is refused where the provider does not hold what it says', async () => {
    const { world, provider, client, open, book, put, commit } = await startedProvider()
    const [a, b] = [await put(), await put()]
    open(6n)
    const elsewhere = await put(1_000, 6n)
    const unpaid = await store(client, world, world.random.bytes(500))
    const bob = world.user('bob')
    const foreign = await store(provider.client(bob), world, world.random.bytes(500))
    for (const claim of [
      elsewhere,
      unpaid,
      foreign,
      { root: world.random.bytes(32), sizeBytes: 1_000 },
      { root: a!.root, sizeBytes: 1_001 },
    ]) {
      await assert.rejects(
        client.commitSet(await book.draft({ added: [a!, b!, claim].slice(claim.root === a!.root ? 1 : 0) })),
        (error: RemoteError) => {
          assert.deepEqual(error.details.missing, [hexFromBytes(claim.root)])
          return mismatch(0n)(error)
        },
      )
    }
    const inflated = createSetTree([a!, { ...b!, sizeBytes: 9_000 }])
    await assert.rejects(client.commitSet(await book.forge({ added: [a!, b!], removed: [] }, inflated)), mismatch(0n))
    const short = createSetTree([a!])
    await assert.rejects(client.commitSet(await book.forge({ added: [a!, b!], removed: [] }, short)), mismatch(0n))
    await commit([a!])
    await assert.rejects(client.commitSet(await book.forge({ added: [], removed: [b!.root] }, short)), mismatch(1n))
    await assert.rejects(client.commitSet(await book.forge({ added: [a!], removed: [] }, short)), mismatch(1n), 'twice')
    provider.disk.losePiece(hex32(b!.root))
    await assert.rejects(client.read({ ...b!, units: new Uint8Array(32) }, { offset: 0, length: 1 }))
    await assert.rejects(client.commitSet(await book.draft({ added: [b!] })), mismatch(1n), 'lost')
    const listed = await client.listOrderPieces(ORDER)
    assert.deepEqual(
      listed.map(({ root }) => hex32(root)),
      [hex32(a!.root)],
      'what is lost is not held',
    )
  })

  test('is refused from another account, beyond the order, in another epoch, or malformed', async () => {
    const { world, provider, address, user, client, open, book, put } = await startedProvider()
    const [a, b] = [await put(600), await put(600)]
    const good = await book.draft({ added: [a!] })
    const bob = world.user('bob')
    await assert.rejects(provider.client(bob).commitSet(good), { name: 'BadInputError' })
    const signature = await bob.signDigest(setCommitmentDigest(ordersVerifierOf(TEST_MONEY), good.commitment))
    await assert.rejects(provider.client(bob).commitSet({ ...good, signature }), { name: 'OrderRefusedError' })
    await assert.rejects(client.commitSet({ ...good, signature }), { name: 'BadInputError' })
    const { current } = await world.chain.getEpochs()
    for (const fromEpoch of [current + 3n, current + 2n ** 60n]) {
      await assert.rejects(client.commitSet(await book.draft({ added: [a!] }, { fromEpoch })), {
        name: 'BadInputError',
      })
    }
    open(ORDER, { sizeBytes: 1_000n })
    await world.time.advance(10_000)
    await assert.rejects(client.commitSet(await book.draft({ added: [a!, b!] })), { name: 'OrderRefusedError' })
    const post = async (json: unknown) => {
      const request = { method: 'POST', path: '/commitments', body: Buffer.from(JSON.stringify(json)) }
      const headers = await signedHeaders(world, user, address, request)
      return errorName(await provider.raw({ method: 'POST', url: '/commitments', headers, body: request.body }))
    }
    const commitment = {
      orderId: '5',
      seq: '1',
      usedBytes: '0',
      fromEpoch: '1',
      setRoot: hexFromBytes(new Uint8Array(32)),
    }
    const whole = { commitment, signature: hexFromBytes(new Uint8Array(65)), added: [], removed: [] }
    const root = hexFromBytes(a!.root)
    for (const bent of [
      null,
      {},
      { ...whole, commitment: { ...commitment, orderId: 5 } },
      { ...whole, commitment: { ...commitment, orderId: '0' } },
      { ...whole, commitment: { ...commitment, orderId: `${2n ** 64n - 1n}` } },
      { ...whole, signature: '0x' },
      { ...whole, added: {} },
      { ...whole, added: [root] },
      { ...whole, added: [{ root, sizeBytes: 0 }] },
      { ...whole, added: [{ root, sizeBytes: -1 }] },
      { ...whole, added: [{ root, sizeBytes: 1.5 }] },
      { ...whole, added: [{ root, sizeBytes: 600 }], removed: [root] },
      { ...whole, removed: [root, root] },
      { ...whole, removed: Array.from({ length: MAX_SET_CHANGES + 1 }, () => hexFromBytes(world.random.bytes(32))) },
    ]) {
      assert.equal(await post(bent), 'BadInputError', JSON.stringify(bent)?.slice(0, 200))
    }
    assert.equal(await post({ ...whole, removed: 'x'.repeat(600_000) }), 'BodyTooLargeError')
    assert.equal(await client.getCommitment(ORDER), undefined)
  })

  test('holds as many changes as one may carry, and lists what is under it in pages', async () => {
    const { world, client, book } = await startedProvider()
    const pieces: Stored[] = []
    for (let i = 0; i < 1_100; i++) pieces.push(await store(client, world, world.random.bytes(10), 5))
    await client.commitSet(await book.draft({ added: pieces }))
    const first = await client.listOrderPieces(ORDER)
    const second = await client.listOrderPieces(ORDER, first.at(-1)?.root)
    assert.deepEqual([first.length, second.length], [1_000, 100])
    assert.equal(new Set([...first, ...second].map(({ root }) => hex32(root))).size, 1_100)
    assert.deepEqual(
      createSetTree([...first, ...second]).setRoot,
      (await client.getCommitment(ORDER))?.commitment.setRoot,
    )
    await assert.rejects(client.listOrderPieces(6n), { name: 'NotFoundError' })
  })

  test('is not answered before it is durable', async () => {
    const { provider, client, book, put } = await startedProvider()
    const a = await put()
    const request = await book.draft({ added: [a] })
    provider.disk.setFault((operation) => (operation === 'sync' ? new InjectedFaultError('no sync') : undefined))
    await assert.rejects(client.commitSet(request))
    provider.disk.setFault(undefined)
    assert.equal(await client.getCommitment(ORDER), undefined)
    await client.commitSet(request)
    assert.equal((await client.getCommitment(ORDER))?.commitment.seq, 1n)
  })

  test('is told to nobody but the user where pieces are named', async () => {
    const { world, provider, put } = await startedProvider()
    await put()
    await assert.rejects(provider.client(world.user('bob')).listOrderPieces(ORDER), { name: 'ForbiddenError' })
  })
})

describe('a piece that was given up under an order', () => {
  const LIMITS = { orderSweepRestMs: MINUTE_MS }

  test('is kept until a commitment without it stands and its window has closed', async () => {
    const { world, client, put, commit, isThere } = await startedProvider(LIMITS)
    world.chain.setEpochs({ current: 10n, closedBefore: 8n })
    const [a, b] = [await put(), await put()]
    await commit([a!, b!])
    assert.equal(await client.delete(a!.root), true)
    assert.equal(await client.delete(a!.root), false, 'once')
    await world.time.advance(2 * MINUTE_MS)
    world.chain.setEpochs({ current: 30n, closedBefore: 28n })
    await world.time.advance(2 * MINUTE_MS)
    assert.ok(isThere(a!), 'the newest commitment counts it')
    await commit([], [a!])
    await world.time.advance(2 * MINUTE_MS)
    assert.ok(isThere(a!), 'what was committed until now can be disputed')
    world.chain.setEpochs({ current: 33n, closedBefore: 30n })
    await world.time.advance(2 * MINUTE_MS)
    assert.ok(isThere(a!))
    world.chain.setEpochs({ current: 33n, closedBefore: 31n })
    await world.time.advance(2 * MINUTE_MS)
    assert.ok(!isThere(a!))
    assert.ok(isThere(b!))
    assert.equal(await client.findSize(a!.root), undefined)
  })

  test('is kept for a window where it was never committed, over a restart too', async () => {
    const { world, provider, client, put, isThere } = await startedProvider(LIMITS)
    world.chain.setEpochs({ current: 10n, closedBefore: 8n })
    const before = await client.info()
    const a = await put()
    await client.delete(a.root)
    await world.time.advance(2 * MINUTE_MS)
    provider.crash()
    await provider.start()
    await world.time.advance(2 * MINUTE_MS)
    assert.ok(isThere(a))
    world.chain.setEpochs({ closedBefore: 11n })
    await world.time.advance(2 * MINUTE_MS)
    assert.ok(!isThere(a))
    assert.deepEqual(await client.info(), before)
  })

  test('is held again when it is uploaded again, and stays while somebody else has it', async () => {
    const { world, provider, client, isThere } = await startedProvider(LIMITS)
    world.chain.setEpochs({ current: 10n, closedBefore: 8n })
    const bytes = world.random.bytes(1_000)
    const a = await store(client, world, bytes, 5)
    await client.delete(a.root)
    await store(client, world, bytes, 5)
    world.chain.setEpochs({ current: 50n, closedBefore: 48n })
    await world.time.advance(3 * MINUTE_MS)
    assert.ok(isThere(a))
    const bob = provider.client(world.user('bob'))
    await store(bob, world, bytes)
    await client.delete(a.root)
    await world.time.advance(3 * MINUTE_MS)
    world.chain.setEpochs({ current: 80n, closedBefore: 78n })
    await world.time.advance(3 * MINUTE_MS)
    assert.ok(isThere(a))
    assert.equal(await bob.delete(a.root), true)
    assert.ok(!isThere(a))
  })
})

describe('an order that is over', () => {
  const LIMITS = { orderSweepRestMs: MINUTE_MS, graceSeconds: 3_600 }

  test('leaves its pieces for the grace, readable, then takes them along', async () => {
    const { world, provider, client, open, put, commit, isThere } = await startedProvider(LIMITS)
    world.chain.setEpochs({ current: 10n, closedBefore: 8n, epochSeconds: 3_600n })
    open(ORDER, { end: 20n })
    open(6n, { end: 500n })
    const [a, b, kept] = [await put(), await put(), await put(1_000, 6n)]
    const both = await store(client, world, world.random.bytes(700), 5)
    await commit([a!, b!])
    world.chain.setEpochs({ current: 20n, closedBefore: 18n })
    await world.time.advance(30 * MINUTE_MS)
    provider.crash()
    await provider.start()
    assert.ok(isThere(a!) && isThere(b!) && isThere(both))
    await client.readUnits(a!.root, a!.sizeBytes)
    world.chain.setEpochs({ current: 60n, closedBefore: 58n })
    await world.time.advance(25 * MINUTE_MS)
    assert.ok(isThere(a!))
    await world.time.advance(15 * MINUTE_MS)
    assert.ok(!isThere(a!) && !isThere(b!) && !isThere(both))
    assert.ok(isThere(kept!))
    assert.equal(await client.getCommitment(ORDER), undefined)
    assert.equal((await client.info()).pieces, 1)
    assert.ok(provider.events.some(({ type, orderId }) => type === 'order-collected' && orderId === 5))
  })

  test('leaves them no longer than it ran', async () => {
    const { world, open, put, isThere } = await startedProvider(LIMITS)
    world.chain.setEpochs({ current: 10n, closedBefore: 8n, epochSeconds: 60n })
    open(ORDER, { start: 9n, end: 19n })
    const a = await put()
    world.chain.setEpochs({ current: 60n, closedBefore: 19n })
    await world.time.advance(10 * MINUTE_MS)
    assert.ok(isThere(a))
    await world.time.advance(3 * MINUTE_MS)
    assert.ok(!isThere(a))
  })

  test('leaves them until its last epoch is beyond dispute', async () => {
    const { world, open, put, isThere } = await startedProvider(LIMITS)
    world.chain.setEpochs({ current: 10n, closedBefore: 8n, epochSeconds: 60n })
    open(ORDER, { start: 9n, end: 19n })
    const a = await put()
    world.chain.setEpochs({ current: 60n, closedBefore: 18n })
    await world.time.advance(30 * MINUTE_MS)
    assert.ok(isThere(a))
    world.chain.setEpochs({ closedBefore: 19n })
    await world.time.advance(2 * MINUTE_MS)
    assert.ok(!isThere(a))
  })

  test('takes nothing along that was renewed meanwhile, or that a chain in trouble does not speak of', async () => {
    const { world, open, put, isThere } = await startedProvider(LIMITS)
    world.chain.setEpochs({ current: 10n, closedBefore: 8n, epochSeconds: 3_600n })
    open(ORDER, { end: 20n })
    const a = await put()
    world.chain.setEpochs({ current: 25n, closedBefore: 23n })
    await world.time.advance(30 * MINUTE_MS)
    world.chain.setFault(new InjectedFaultError('no chain'))
    await world.time.advance(120 * MINUTE_MS)
    assert.ok(isThere(a))
    world.chain.setFault(undefined)
    open(ORDER, { end: 200n })
    await world.time.advance(120 * MINUTE_MS)
    assert.ok(isThere(a))
  })

  test('lets its pieces come under another order of the same user, without being sent, and leaves those there', async () => {
    const { world, provider, client, open, put, isThere } = await startedProvider(LIMITS)
    world.chain.setEpochs({ current: 10n, closedBefore: 8n, epochSeconds: 3_600n })
    open(ORDER, { end: 20n })
    const [a, b] = [await put(), await put()]
    world.chain.setEpochs({ current: 20n, closedBefore: 18n })
    await world.time.advance(10 * MINUTE_MS)
    open(6n, { start: 20n, end: 500n, sizeBytes: BigInt(a!.sizeBytes) })
    const take = async (piece: typeof a, orderId = 6) =>
      await client.commit(world.random.bytes(32), { root: piece!.root, sizeBytes: piece!.sizeBytes, orderId })
    const receipt = await take(a)
    assert.deepEqual([receipt.orderId, receipt.sizeBytes], [6, a!.sizeBytes])
    await assert.rejects(take(b), { name: 'OrderRefusedError' }, 'no room for both')
    await assert.rejects(take(b, 5), { name: 'OrderRefusedError' }, 'an order that is over')
    provider.crash()
    await provider.start()
    world.chain.setEpochs({ current: 60n, closedBefore: 58n })
    await world.time.advance(80 * MINUTE_MS)
    assert.deepEqual([isThere(a!), isThere(b!)], [true, false])
    assert.deepEqual(
      (await client.listOrderPieces(6n)).map(({ sizeBytes }) => sizeBytes),
      [a!.sizeBytes],
    )
    await assert.rejects(take(b), { name: 'OrderRefusedError' })
    open(7n, { start: 20n, end: 500n })
    await assert.rejects(take(b, 7), { name: 'NotFoundError' }, 'it is gone')
  })

  test('gives nothing of one user to the order of another, and nothing that was given up', async () => {
    const { world, provider, client, open, put } = await startedProvider(LIMITS)
    open(ORDER)
    open(7n)
    const [a, b] = [await put(), await put()]
    const bob = world.user('bob')
    scriptOrder(world, 8n, { user: bob.address, provider: provider.signer.address })
    const name = ({ root, sizeBytes }: typeof a, orderId: number) => ({ root: root!, sizeBytes: sizeBytes!, orderId })
    await assert.rejects(provider.client(bob).commit(world.random.bytes(32), name(a!, 8)), { name: 'NotFoundError' })
    await assert.rejects(client.commit(world.random.bytes(32), name(a!, 8)), { name: 'OrderRefusedError' })
    await client.delete(b!.root)
    await assert.rejects(client.commit(world.random.bytes(32), name(b!, 7)), { name: 'NotFoundError' })
    const wrong = { ...name(a!, 7), sizeBytes: a!.sizeBytes + 1 }
    await assert.rejects(client.commit(world.random.bytes(32), wrong), { name: 'RootMismatchError' })
    assert.deepEqual(await client.listOrderPieces(7n), [])
  })
})
